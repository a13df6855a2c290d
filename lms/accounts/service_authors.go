package accounts

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
)

// FindAuthor finds somebody with the author's role by e-mail address or MOPD ID.
//
// Errors: lms.ErrNotFound, also for somebody without the role: who has an account is
// not told.
func (s *Service) FindAuthor(ctx context.Context, tx pgx.Tx, emailOrMOPDID string) (lms.Person, error) {
	written := strings.TrimSpace(emailOrMOPDID)
	if isEmail(written) {
		return selectAuthorByEmail(ctx, tx, written)
	}
	id, err := strconv.ParseInt(strings.ReplaceAll(written, " ", ""), 10, 32)
	if err != nil {
		return lms.Person{}, lms.ErrNotFound.Because(err)
	}
	return selectAuthorByMOPDID(ctx, tx, lms.MOPDID(id))
}
