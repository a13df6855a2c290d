package accounts

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms/pg"
)

func TestANameOfAnyLengthIsLookedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.NoError(t, pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error {
		_, err := w.Namesakes(t.Context(), tx, strings.Repeat("a", 3000), "Jones")
		return err
	}))
}
