// Package accounts knows who people are: signing up, claiming a profile, signing in
// with two factors, sessions, roles and the audit trail. It never decides what a role
// may do: lms.May does. Start at Service.SignIn and Service.Prove.
package accounts

import (
	"context"
	"embed"
	"fmt"
	"net/url"
	"runtime"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"mopd/lms"
	"mopd/lms/jobs"
	"mopd/lms/mail"
	"mopd/lms/secrets"
	"mopd/lms/web"
	"mopd/lms/words"
)

// Views are the templates and messages of this feature.
//
//go:embed templates/*.html messages/*.json
var Views embed.FS

// Player is what signing out needs of the player: an open course stops.
type Player interface {
	// Fence ends the person's live player; work that it has not sent stays in its
	// journal.
	Fence(ctx context.Context, tx pgx.Tx, p lms.PersonID) error
}

// Registry is the record of people's work and credits.
type Registry interface {
	Employed(ctx context.Context, tx pgx.Tx, e lms.Employment, now time.Time) error
	EmployedMany(ctx context.Context, tx pgx.Tx, list []lms.Employment, now time.Time) error
	Employments(ctx context.Context, tx pgx.Tx, p lms.PersonID) ([]lms.Employment, error)
	CountCredits(ctx context.Context, tx pgx.Tx, p lms.PersonID) (int, error)
	// CountWaiting is how many credits and rows of imports wait for a registrar.
	CountWaiting(ctx context.Context) (int, error)
	// HeldByMerge are the titles of the credits that a merge would hold.
	HeldByMerge(ctx context.Context, tx pgx.Tx, from, into lms.PersonID) ([]string, error)
	Merge(ctx context.Context, tx pgx.Tx, from, into lms.PersonID, now time.Time) error
}

// Enrollments are the courses of people.
type Enrollments interface {
	// Open are a person's open enrollments.
	Open(ctx context.Context, tx pgx.Tx, p lms.PersonID) ([]lms.Enrollment, error)
	Merge(ctx context.Context, tx pgx.Tx, from, into lms.PersonID, now time.Time) error
}

// Dependencies are what accounts need of others.
type Dependencies struct {
	DB          *pgxpool.Pool
	Jobs        jobs.Inserter
	Mail        *mail.Outbox
	Keys        *secrets.Keyring // of secrets at rest
	Words       *words.Catalog
	Player      Player
	Registry    Registry
	Enrollments Enrollments
	Settings
}

// Settings are what a deployment decides.
type Settings struct {
	AppURL       *url.URL
	EmailCodes   bool          // caregivers may get their codes by e-mail
	MOPDDigits   int           // of new MOPD IDs, 6 to 9; 0 is 6
	RecoveryWait time.Duration // before somebody who lost every factor is let in; 0 is three days
}

// Service holds the use cases.
type Service struct {
	Dependencies
	hasher   *hasher
	passkeys *webauthn.WebAuthn
}

// New makes the service. A command line needs no more than a DB, to add people and to
// write the audit trail.
func New(d Dependencies) (*Service, error) {
	if d.MOPDDigits == 0 {
		d.MOPDDigits = 6
	}
	if d.RecoveryWait == 0 {
		d.RecoveryWait = 72 * time.Hour
	}
	if d.MOPDDigits < 6 || d.MOPDDigits > 9 {
		return nil, fmt.Errorf("MOPD IDs of %d digits: want 6 to 9", d.MOPDDigits)
	}
	s := &Service{Dependencies: d, hasher: newHasher(2 * runtime.NumCPU())}
	if d.AppURL == nil {
		return s, nil
	}
	var err error
	s.passkeys, err = webauthn.New(&webauthn.Config{
		RPID: d.AppURL.Hostname(), RPDisplayName: d.Words.Text("en", "site.name"), RPOrigins: []string{d.AppURL.Scheme + "://" + d.AppURL.Host},
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	return s, nil
}

// Routes hangs the feature's pages on the application.
func (s *Service) Routes(w *web.Server) {
	h := handlers{s, w}
	w.Get("/sign-in", lms.Browse, h.signInForm)
	w.Post("/sign-in", lms.Browse, h.signIn)
	w.Post("/sign-out", lms.Prove, h.signOut)

	w.Get("/account/prove", lms.Prove, h.proveForm)
	w.Post("/account/prove", lms.Prove, h.prove)
	w.Post("/account/prove/send", lms.Prove, h.sendCode)
	w.Post("/account/prove/passkey", lms.Prove, h.passkeyRequest)

	w.Get("/sign-up", lms.Browse, h.signUpForm)
	w.Post("/sign-up", lms.Browse, h.signUp)
	w.Get("/sign-up/sent", lms.Browse, h.signUpSent)
	w.Get("/sign-up/:token", lms.Browse, h.confirmForm)
	w.Post("/sign-up/:token", lms.Browse, h.confirm)

	w.Get("/forgot", lms.Browse, h.forgotForm)
	w.Post("/forgot", lms.Browse, h.forgot)
	w.Get("/forgot/sent", lms.Browse, h.forgotSent)
	w.Get("/reset/:token", lms.Browse, h.resetForm)
	w.Post("/reset/:token", lms.Browse, h.reset)

	w.Get("/claim", lms.Browse, h.claimForm)
	w.Post("/claim", lms.Browse, h.claim)
	w.Get("/claim/link/:token", lms.Browse, h.linkedClaimForm)
	w.Post("/claim/link/:token", lms.Browse, h.finishLinkedClaim)
	w.Get("/claim/:token", lms.Browse, h.claimCodeForm)
	w.Post("/claim/:token", lms.Browse, h.claimCode)
	w.Post("/claim/:token/ask", lms.Browse, h.askRegistrar)
	w.Get("/claim/:token/password", lms.Browse, h.provedClaimForm)
	w.Post("/claim/:token/password", lms.Browse, h.finishClaim)

	w.Get("/recover", lms.Prove, h.askRecoveryForm)
	w.Post("/recover", lms.Prove, h.askRecovery)
	w.Get("/recover/stop/:token", lms.Browse, h.stopForm)
	w.Post("/recover/stop/:token", lms.Browse, h.stop)
	w.Get("/recover/:token", lms.Browse, h.recoverForm)
	w.Post("/recover/:token", lms.Browse, h.recover)

	w.Get("/stop/:token", lms.Browse, h.stopItemForm)
	w.Post("/stop/:token", lms.Browse, h.stopItem)
	w.Get("/worklist", lms.Identify, h.worklist)
	w.Get("/worklist/:id", lms.Identify, h.item)
	w.Post("/worklist/:id/dismiss", lms.Identify, h.dismiss)
	w.Get("/worklist/:id/claim-link", lms.Merge, h.claimLinkForm)
	w.Post("/worklist/:id/claim-link", lms.Merge, h.sendClaimLink)
	w.Get("/worklist/:id/merge", lms.Merge, h.mergeForm)
	w.Post("/worklist/:id/merge", lms.Merge, h.merge)
	w.Get("/worklist/:id/approve", lms.Merge, h.approveForm)
	w.Post("/worklist/:id/approve", lms.Merge, h.approve)

	w.Get("/account", lms.Learn, h.account)
	w.Post("/account/language", lms.Learn, h.chooseLanguage)
	w.Post("/account/reminders", lms.Learn, h.chooseReminders)
	w.Get("/account/password", lms.Secure, h.passwordForm)
	w.Post("/account/password", lms.Secure, h.changePassword)
	w.Get("/account/email", lms.Secure, h.emailForm)
	w.Post("/account/email", lms.Secure, h.changeEmail)
	w.Get("/account/email/:token", lms.Learn, h.confirmEmailForm)
	w.Post("/account/email/:token", lms.Learn, h.confirmEmail)
	w.Post("/account/sessions/end", lms.Learn, h.signOutEverywhere)
	w.Post("/account/sessions/:id/end", lms.Learn, h.endSession)

	w.Get("/account/factors/new", lms.SetUpFactor, h.chooseFactor)
	w.Post("/account/factors/authenticator", lms.SetUpFactor, h.beginAuthenticator)
	w.Post("/account/factors/email", lms.SetUpFactor, h.addEmail)
	w.Get("/account/factors/text", lms.SetUpFactor, h.textForm)
	w.Post("/account/factors/text", lms.SetUpFactor, h.beginText)
	w.Post("/account/factors/passkey/options", lms.SetUpFactor, h.passkeyCreation)
	w.Post("/account/factors/passkey", lms.SetUpFactor, h.addPasskey)
	w.Get("/account/factors/:id", lms.SetUpFactor, h.factorForm)
	w.Get("/account/factors/:id/qr.png", lms.SetUpFactor, h.qrCode)
	w.Post("/account/factors/:id", lms.SetUpFactor, h.confirmFactor)
	w.Get("/account/factors/:id/remove", lms.Secure, h.askRemoveFactor)
	w.Post("/account/factors/:id/remove", lms.Secure, h.removeFactor)
	w.Get("/account/recovery-codes", lms.Secure, h.askRecoveryCodes)
	w.Post("/account/recovery-codes", lms.Secure, h.newRecoveryCodes)

	w.Get("/people", lms.LookUp, h.people)
	w.Get("/people/:id", lms.LookUp, h.person)
	w.Get("/people/:id/trail", lms.LookUp, h.personTrail)
	w.Get("/people/:id/name", lms.Merge, h.correctForm)
	w.Post("/people/:id/name", lms.Merge, h.correct)
	w.Get("/people/:id/roles", lms.GrantRoles, h.rolesForm)
	w.Post("/people/:id/roles", lms.GrantRoles, h.changeRoles)
	w.Get("/people/:id/access", lms.GrantRoles, h.accessForm)
	w.Post("/people/:id/access", lms.GrantRoles, h.changeAccess)
	w.Post("/people/:id/sessions/end", lms.GrantRoles, h.endPersonsSessions)
	w.Get("/audit", lms.ReadAudit, h.audit)
	w.Download("/audit/export.csv", lms.ReadAudit, h.exportAudit)
	w.Get("/account/looks", lms.Learn, h.looks)
}

// Workers registers the feature's jobs; now gives a job its instant.
func (s *Service) Workers(ws *river.Workers, now jobs.Clock) {
	river.AddWorker(ws, &answerRequest{service: s, now: now})
	river.AddWorker(ws, &sweep{service: s, now: now})
	river.AddWorker(ws, &mailRecoveries{service: s, now: now})
}

// Periodic are the feature's jobs that run by themselves.
func (s *Service) Periodic() []*river.PeriodicJob {
	look := func() (river.JobArgs, *river.InsertOpts) { return SweepArgs{}, nil }
	recover := func() (river.JobArgs, *river.InsertOpts) { return MailRecoveriesArgs{}, nil }
	return []*river.PeriodicJob{
		river.NewPeriodicJob(river.PeriodicInterval(time.Hour), look, &river.PeriodicJobOpts{RunOnStart: true}),
		river.NewPeriodicJob(river.PeriodicInterval(5*time.Minute), recover, &river.PeriodicJobOpts{RunOnStart: true}),
	}
}
