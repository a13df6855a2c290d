package accounts

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestAnAuthorIsFoundByAddressOrNumberAndNobodyElseIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	andre := lmstest.Person(t, w.db, func(p *lms.Person) { p.Email, p.Roles = "andre@example.org", []lms.Role{lms.Author} })
	caregiver := lmstest.Person(t, w.db)
	admin := lmstest.Person(t, w.db, func(p *lms.Person) { p.Roles = []lms.Role{lms.Administrator} })
	find := func(written string) (found lms.Person, err error) {
		err = w.inTx(func(tx pgx.Tx) error {
			found, err = w.FindAuthor(t.Context(), tx, written)
			return err
		})
		return found, err
	}
	n := fmt.Sprint(andre.MOPDID)
	for _, written := range []string{"andre@example.org", " Andre@Example.org ", n, n[:3] + " " + n[3:]} {
		found, err := find(written)
		require.NoError(t, err, written)
		require.Equal(t, andre, found, written)
	}
	for _, written := range []string{"", "@", "andre", "gone@example.org", "1", "-1", "99999999999999999999", "andre@example.org\x00",
		caregiver.Email, fmt.Sprint(caregiver.MOPDID), admin.Email} {
		_, err := find(written)
		require.ErrorIs(t, err, lms.ErrNotFound, "%q", written)
	}
}
