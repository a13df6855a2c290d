package lms

import (
	"slices"
	"time"
)

// Role is what a person may be in the product.
type Role string

// The roles of rules §8. Everybody signed in is a caregiver. A director's role is
// also a program designee's.
const (
	Caregiver     Role = "caregiver"
	Director      Role = "director"
	Trainer       Role = "trainer"
	Author        Role = "author"
	Finance       Role = "finance"
	Registrar     Role = "registrar"
	Inspector     Role = "inspector"
	HelpDesk      Role = "help_desk"
	Administrator Role = "administrator"
)

// Roles lists every role.
var Roles = []Role{Caregiver, Director, Trainer, Author, Finance, Registrar, Inspector, HelpDesk, Administrator}

// Stage is how far a session has got.
type Stage string

// The stages of a session. Only at SignedIn is a person let into their account.
const (
	Identified Stage = "identified" // the password was right, a second factor is still to be given
	Enrolling  Stage = "enrolling"  // a second factor is to be set up first
	SignedIn   Stage = "signed_in"
)

// Viewer is a person as one session knows them.
type Viewer struct {
	Person
	Session  SessionID
	Stage    Stage
	ProvedAt time.Time // when a second factor was last given in this session; zero if none was
}

// Staff tells whether the person has a role beyond caregiver: such accounts need an
// authenticator app or a passkey.
func (p Person) Staff() bool {
	return slices.ContainsFunc(p.Roles, func(r Role) bool { return r != Caregiver })
}

// Has tells whether the person has one of the roles.
func (p Person) Has(roles ...Role) bool {
	return slices.ContainsFunc(roles, func(r Role) bool { return r == Caregiver || slices.Contains(p.Roles, r) })
}

// Action is what a route lets somebody do.
type Action string

// The actions.
const (
	Browse      Action = "browse"      // look at the catalog, sign in
	Prove       Action = "prove"       // give a second factor, or sign out before that
	SetUpFactor Action = "set_up"      // add a second factor
	Learn       Action = "learn"       // register, start, take, and read one's own record
	Secure      Action = "secure"      // change one's own password, address and factors
	Publish     Action = "publish"     // upload, publish and retire course versions
	LookUp      Action = "look_up"     // find people and look at their records
	Identify    Action = "identify"    // decide claims, recoveries and likely duplicates
	Merge       Action = "merge"       // make two profiles of one person one, and let somebody back in
	Correct     Action = "correct"     // decide about a credit on record
	GrantRoles  Action = "grant_roles" // give and take roles, end others' sessions, disable accounts
	ReadMoney   Action = "read_money"  // see orders, charges, refunds and what needs a look
	MoveMoney   Action = "move_money"  // give fees back, and settle what needed a look
	ReadAudit   Action = "read_audit"  // search and export the audit trail
)

// grant says who may do an action.
type grant struct {
	stages []Stage
	roles  []Role
	proof  time.Duration // how long ago a second factor may have been given; 0: it does not matter
}

var (
	anybody  = []Stage{"", Identified, Enrolling, SignedIn}
	started  = []Stage{Identified, Enrolling, SignedIn}
	signedIn = []Stage{SignedIn}
	everyone = []Role{Caregiver}
)

// grants is the table of who may do what (rules §8).
var grants = map[Action]grant{
	Browse:      {stages: anybody},
	Prove:       {stages: started, roles: everyone},
	SetUpFactor: {stages: []Stage{Enrolling, SignedIn}, roles: everyone, proof: ProofAge},
	Learn:       {stages: signedIn, roles: everyone},
	Secure:      {stages: signedIn, roles: everyone, proof: ProofAge},
	Publish:     {stages: signedIn, roles: []Role{Author, Administrator}},
	LookUp:      {stages: signedIn, roles: []Role{Registrar, Administrator}},
	Identify:    {stages: signedIn, roles: []Role{Registrar}},
	Merge:       {stages: signedIn, roles: []Role{Registrar}, proof: ProofAge},
	Correct:     {stages: signedIn, roles: []Role{Registrar}, proof: SittingAge},
	GrantRoles:  {stages: signedIn, roles: []Role{Administrator}, proof: ProofAge},
	ReadMoney:   {stages: signedIn, roles: []Role{Finance}},
	MoveMoney:   {stages: signedIn, roles: []Role{Finance}, proof: ProofAge},
	ReadAudit:   {stages: signedIn, roles: []Role{Administrator}},
}

// ProofAge is how long a second factor counts as just given.
const ProofAge = 10 * time.Minute

// SittingAge is how long it counts for those who work through a list of records, and would
// be stopped every few minutes.
const SittingAge = time.Hour

// Object is what an action is done to: whose it is.
type Object struct {
	Owners []PersonID // such as the authors of a course; empty if it is nobody's
}

// May decides who may do what to which objects; a nil viewer is nobody signed in.
// Without an object it says whether the door opens at all.
func May(v *Viewer, a Action, objects ...Object) bool {
	g, known := grants[a]
	if !known || !slices.Contains(g.stages, stageOf(v)) {
		return false
	}
	if len(g.roles) > 0 && !v.Has(g.roles...) {
		return false
	}
	return !slices.ContainsFunc(objects, func(o Object) bool { return !owns(v, o) })
}

// owns tells whether an object is the viewer's; everything is an administrator's.
func owns(v *Viewer, o Object) bool {
	return v != nil && (v.Has(Administrator) || slices.Contains(o.Owners, v.ID))
}

// Refusal says what stands between a viewer and an action at an instant; nil if
// nothing does.
//
// Errors: ErrUnauthenticated, ErrFactorNeeded, ErrFactorMissing, ErrForbidden,
// ErrProofNeeded.
func Refusal(v *Viewer, a Action, now time.Time) error {
	g := grants[a]
	switch {
	case May(v, a):
		if g.proof > 0 && v.Stage == SignedIn && now.Sub(v.ProvedAt) >= g.proof {
			return ErrProofNeeded
		}
		return nil
	case v == nil:
		return ErrUnauthenticated
	case !slices.Contains(g.stages, v.Stage) && v.Stage == Identified:
		return ErrFactorNeeded
	case !slices.Contains(g.stages, v.Stage) && v.Stage == Enrolling:
		return ErrFactorMissing
	default:
		return ErrForbidden
	}
}

func stageOf(v *Viewer) Stage {
	if v == nil {
		return ""
	}
	return v.Stage
}
