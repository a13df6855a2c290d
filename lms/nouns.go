package lms

import "time"

// Identities. Each is the primary key of its owner's table.
type (
	PersonID     int64
	CourseID     int64
	VersionID    int64
	ApprovalID   int64
	EnrollmentID int64
	AttemptID    int64
	CreditID     int64
	PolicyID     int64
	SessionID    int64
)

// MOPDID is the number by which the registry knows a person: six digits, from
// 100000 on, never reused.
type MOPDID int

// Valid tells whether a number can be a MOPD ID: 100000 to 999999999.
func (id MOPDID) Valid() bool { return id >= 100_000 && id < 1_000_000_000 }

// Person is somebody the registry knows.
type Person struct {
	ID     PersonID
	MOPDID MOPDID
	Given  string
	Family string
	Email  string
	Lang   string // "en" or "es"
	Born   Date   // zero if not known
	Roles  []Role
}

// Name is the person's name as the training report prints it.
func (p Person) Name() string { return p.Given + " " + p.Family }

// SortName is the name with the family name first (SCORM 1.2 RTE 3.4.4,
// cmi.core.student_name).
func (p Person) SortName() string { return p.Family + ", " + p.Given }

// Course is what a caregiver finds in the catalog: an identity that lasts through
// revised versions and translations.
type Course struct {
	ID        CourseID
	Code      string
	Title     string
	Summary   string
	Sponsor   string
	Topics    []string
	Series    string
	Fee       Money
	SafeSleep bool       // counts toward the three-year safe sleep requirement (rules §6)
	Hours     Hours      // as approved; 0 while there is no approval
	Approval  ApprovalID // the approval in force on the day asked about; 0 if none
	Version   VersionID  // the published version; 0 if none

	ApprovedUntil Date // first day on which the approval is over; zero: none is known
}

// OpenForRegistration tells whether the course has a published version and an
// approval of its hours.
func (c Course) OpenForRegistration() bool { return c.Version != 0 && c.Approval != 0 }

// Content is what the player needs to know of a course version.
type Content struct {
	Version      VersionID
	Course       CourseID
	Title        string
	Standard     Standard
	Launch       string // path of the SCO's launch file within the package, with its query
	Activity     string // identifier of the SCO's item in the manifest
	LaunchData   string // adlcp:datafromlms
	MasteryScore string // adlcp:masteryscore, "" if none
	MaxTime      string // adlcp:maxtimeallowed, "" if none
	TimeLimit    string // adlcp:timelimitaction, "" if none
}

// File is one file of a course version; its bytes are in the object store under
// their SHA-256.
type File struct {
	Path        string
	SHA256      [32]byte
	Size        int64
	ContentType string
}

// Standard is the packaging standard of a course version.
type Standard string

// SCORM12 is SCORM 1.2.
const SCORM12 Standard = "scorm12"

// EnrollmentState is where an enrollment stands.
type EnrollmentState string

// The states of an enrollment. Ready: registered, not begun or set aside with
// progress kept. Active: the person's one course in progress. The others are ends.
const (
	Ready     EnrollmentState = "ready"
	Active    EnrollmentState = "active"
	Completed EnrollmentState = "completed"
	Expired   EnrollmentState = "expired"
	Revoked   EnrollmentState = "revoked" // its fee was given back
)

// Open tells whether the enrollment has not ended.
func (s EnrollmentState) Open() bool { return s == Ready || s == Active }

// Enrollment is one person's registration for one course. Title, sponsor and
// hours are as shown at registration: they stand, whatever becomes of the course.
type Enrollment struct {
	ID            EnrollmentID
	Person        PersonID
	Course        CourseID
	Version       VersionID
	Title         string
	Sponsor       string
	Hours         Hours
	State         EnrollmentState
	RegisteredOn  Date
	LastDay       Date // the last day of the completion window, in full
	FirstLaunched *Date
	CompletedAt   *time.Time
}

// Over tells whether an enrollment that was not completed has ended by a day.
func (e Enrollment) Over(today Date) bool {
	return e.State == Expired || e.State.Open() && today.After(e.LastDay)
}

// Completion is the fact that a person completed an enrollment. At is the instant
// when the server received the passing commit.
type Completion struct {
	Enrollment EnrollmentID
	Person     PersonID
	Course     CourseID
	Title      string
	Sponsor    string
	Hours      Hours
	At         time.Time
}

// CreditStatus says what a decision made of a credit.
type CreditStatus string

// The statuses of a credit; the latest decision says which stands.
const (
	Credited CreditStatus = "credited"
	Denied   CreditStatus = "denied"
	Held     CreditStatus = "held"
)

// Block is the range of days in which a standing credit keeps the same course
// from earning again: [earned, first creditable day).
type Block struct {
	Course CourseID
	During DateRange
}

// Standing is what a course is to one person today; the zero Standing is a course
// that they have nothing to do with.
type Standing struct {
	Enrollment   EnrollmentID // the open enrollment; 0 if none
	State        EnrollmentState
	LastDay      Date // of the open enrollment's window
	CompletedOn  Date // of the latest completion; zero if none
	EarnsAgainOn Date // first creditable day; zero if the course can earn today
}

// AuditEntry is a line of the audit trail: who did what to whose record.
type AuditEntry struct {
	Actor   PersonID // 0: the system
	Action  string   // such as "set_aside"; the catalogs say it in words under "audit.action."
	Subject PersonID // whose record; 0 if nobody's
	Object  string   // for example "credit/12"
	Note    string   // why it was done, or what exactly; "" if the rest says it all
	At      time.Time
	From    string // network address; "" for the system
}

// Employment is what was said of a person's work at one employer.
type Employment struct {
	Person   PersonID
	Employer string
	HiredOn  Date   // zero if it was not said
	Source   string // "sign_up" or "import"
}

// YearStanding is how somebody's calendar year stands.
type YearStanding struct {
	Year        int
	Counted     Hours
	Required    Hours
	HireMissing bool        // the requirement follows from the account, for want of a hire date
	Owed        []YearHours // by earlier years, the oldest first: what is earned next goes there
}

// YearHours is clock hours of a calendar year.
type YearHours struct {
	Year  int
	Hours Hours
}

// SafeSleepState is where somebody's safe sleep training stands (rules §6).
type SafeSleepState string

// The states of safe sleep training.
const (
	SafeSleepCurrent SafeSleepState = "current"
	SafeSleepDue     SafeSleepState = "due"     // valid, and expires within 60 days
	SafeSleepExpired SafeSleepState = "expired" // the last valid day is over
	SafeSleepNone    SafeSleepState = "none"    // never completed
)

// SafeSleep is how somebody's safe sleep training stands on a day.
type SafeSleep struct {
	State   SafeSleepState
	DoneOn  Date // day of the completion that is valid longest; zero if there is none
	Through Date // last day on which it is valid; zero if there is none
}

// RecordsWaiting is how much on record waits for a registrar.
type RecordsWaiting struct {
	Held    int // credits
	Reviews int // credits that their people asked to look at again
	Rows    int // of imports, of which nobody said whose they are
}

// Total is all of it.
func (w RecordsWaiting) Total() int { return w.Held + w.Reviews + w.Rows }

// Purchase is what somebody asks for who registers for a course with a fee.
type Purchase struct {
	Person         Person
	Code           string // of the course
	AcceptNoCredit bool   // told that the course can earn nothing today, and going on
	Lang           string
	From           string // network address, for the audit trail
}
