// Package accounts knows who people are: accounts, sign-in, sessions, roles and
// the audit trail. It never decides what a role may do: lms.May does. Start at
// Service.SignIn.
package accounts

import (
	"context"
	"embed"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"mopd/lms"
	"mopd/lms/web"
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

// Dependencies are what accounts need of others.
type Dependencies struct {
	DB     *pgxpool.Pool
	Player Player
}

// Service holds the use cases.
type Service struct{ Dependencies }

// New makes the service.
func New(d Dependencies) *Service { return &Service{d} }

// Routes hangs the feature's pages on the application.
func (s *Service) Routes(w *web.Server) {
	h := handlers{s, w}
	w.Get("/sign-in", lms.Browse, h.signInForm)
	w.Post("/sign-in", lms.Browse, h.signIn)
	w.Post("/sign-out", lms.Learn, h.signOut)
}
