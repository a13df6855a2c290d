package registry

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"mopd/lms"
)

// Moment is what a record is asked for: the training completed through a day, as it was
// known at an instant. Facts are never edited, so that asking again gives the same.
type Moment struct {
	Through lms.Date
	Known   time.Time
}

// Now is the moment of what is known of everything until today.
func Now(now time.Time) Moment { return Moment{lms.DateOf(now), now} }

// Recorded is a credit with what the latest decision known of it says.
type Recorded struct {
	ID         lms.CreditID
	Source     string // sourceEnrollment or sourceImport
	EarnedOn   lms.Date
	EarnedAt   time.Time
	Title      string
	Sponsor    string
	Claimed    lms.Hours
	Hours      lms.Hours // that stand
	Status     lms.CreditStatus
	Reason     string
	ReasonArgs json.RawMessage
	Note       string // of a registrar
	SafeSleep  bool   // of a course marked so
}

// NotCompleted tells whether a registrar found that the completion did not take place.
func (r Recorded) NotCompleted() bool { return r.Reason == reasonNotCompleted }

// Stands is the key of the words for what the decision makes of the credit.
func (r Recorded) Stands() string { return standsText(r.Status, r.Reason) }

// standsText is the key of the words for what a decision makes of a credit.
func standsText(status lms.CreditStatus, reason string) string {
	if reason == reasonNotCompleted {
		return "registry.status.not_completed"
	}
	return "registry.status." + string(status)
}

// Again is the first creditable day, where the same course stood in the way.
func (r Recorded) Again() (lms.Date, error) {
	var args struct{ From string }
	if err := json.Unmarshal(r.ReasonArgs, &args); err != nil {
		return lms.Date{}, fmt.Errorf("reason of credit %d: %w", r.ID, err)
	}
	if args.From == "" {
		return lms.Date{}, nil
	}
	return lms.ParseDate(args.From)
}

// Employed is where and when somebody works or worked.
type Employed struct {
	Employer string // "" if it is not known
	HiredOn  lms.Date
	LeftOn   lms.Date // last day; zero: it goes on
}

// days are those of the employment.
func (e Employed) days() lms.DateRange {
	if e.LeftOn.IsZero() {
		return lms.DateRange{From: e.HiredOn, Until: lms.Date{Year: 9999, Month: 12, Day: 31}}
	}
	return lms.DateRange{From: e.HiredOn, Until: e.LeftOn.AddDays(1)}
}

// account is how somebody is known.
type account struct {
	MadeAt time.Time
	Name   string
	MOPDID lms.MOPDID `db:"mopd_id"`
}

// Record is what is known of somebody's training at a moment.
type Record struct {
	Moment
	Name      string     // at the moment
	MOPDID    lms.MOPDID // the main one at the moment
	Employed  []Employed // where the hire date is known
	Credits   []Recorded // as they were completed
	Trainings []training // of these, of courses marked safe sleep
	SafeSleep lms.SafeSleep
	Allocation
}

// shown is the years of which reports are shown, the newest first: this and the last, or
// all that owe or have a credit.
func (r Record) shown(all bool) (years []int) {
	first := r.Through.Year - 1
	if all {
		first = min(first, r.first())
	}
	for year := r.Through.Year; year >= first; year-- {
		years = append(years, year)
	}
	return years
}

// Standing is how a year stands, with what earlier years still lack.
func (r Record) Standing(year int) lms.YearStanding {
	y := r.Year(year)
	s := lms.YearStanding{Year: year, Counted: y.Counted(), Required: y.Hours, HireMissing: y.Missing}
	for _, earlier := range r.Years {
		if earlier.Year < year && earlier.Short() > 0 {
			s.Owed = append(s.Owed, lms.YearHours{Year: earlier.Year, Hours: earlier.Short()})
		}
	}
	return s
}

// Would is for which years clock hours would count that are earned next, in a year: the
// earlier ones first (rules §2).
func (r Record) Would(hours lms.Hours, year int) []lms.YearHours {
	parts, _ := r.Standing(year).Earn(hours)
	return parts
}

// facts are what a record is computed from.
type facts struct {
	account
	policies lms.Policies
	employed []Employed
	credits  []Recorded
}

// with is the facts as they are once something else is decided about a credit.
func (f facts) with(id lms.CreditID, d decision) facts {
	f.credits = slices.Clone(f.credits)
	for i := range f.credits {
		if f.credits[i].ID == id {
			f.credits[i].Hours, f.credits[i].Status, f.credits[i].Reason = d.Hours, d.Status, d.Reason
		}
	}
	return f
}

// record computes a record from what is known at a moment (rules §1, §2, §6).
func record(f facts, m Moment) (Record, error) {
	allocation, err := f.allocate(m.Through.Year)
	if err != nil {
		return Record{}, err
	}
	trained, err := trainings(f.credits, f.policies)
	if err != nil {
		return Record{}, err
	}
	return Record{m, f.Name, f.MOPDID, f.employed, f.credits, trained, safeSleepOn(m.Through, trained), allocation}, nil
}

// allocate is where the hours count, with what each year until the last owes.
func (f facts) allocate(last int) (Allocation, error) {
	madeOn := lms.DateOf(f.MadeAt)
	first := madeOn.Year
	var days []lms.DateRange
	for _, e := range f.employed {
		first = min(first, e.HiredOn.Year)
		days = append(days, e.days())
	}
	var requirements []Requirement
	for year := first; year <= last; year++ {
		r, err := requirementOf(year, days, madeOn, f.policies)
		if err != nil {
			return Allocation{}, err
		}
		requirements = append(requirements, r)
	}
	var standing []StandingCredit
	for _, c := range f.credits {
		if c.Hours > 0 {
			standing = append(standing, StandingCredit{ID: c.ID, EarnedOn: c.EarnedOn, EarnedAt: c.EarnedAt, Hours: c.Hours})
		}
	}
	return Allocate(requirements, standing), nil
}
