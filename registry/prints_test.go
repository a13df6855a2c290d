package registry

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestACodeIsReadHoweverItIsTyped(t *testing.T) {
	t.Parallel()
	require.Equal(t, Code("7K3M9Q2TXW01"), ReadCode("7k3m-9q2t xwOl"))
	rapid.Check(t, func(t *rapid.T) {
		code := newCode()
		if len(code) != codeLength || ReadCode(code.String()) != code {
			t.Fatalf("%q is read as %q", code.String(), ReadCode(code.String()))
		}
	})
}

func TestAPrintedReportSaysWhatItSaidWhateverItsPersonIsCalledOrMergedInto(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, stays := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	w.completedAt(p, 8, "2026-05-01")
	made := at("2026-06-01", t)
	code, err := w.MakePrint(t.Context(), lms.Viewer{Person: p}, p.ID, 2026, Now(made), "", made)
	require.NoError(t, err)
	verified := func(day string) Verified {
		v, err := w.Verify(t.Context(), code, at(day, t))
		require.NoError(t, err)
		return v
	}
	then := verified("2026-06-01")
	require.Equal(t, p.Name(), then.Record.Name)

	w.renamed(p, "Maya", "Brooks", at("2026-07-01", t))
	require.Equal(t, then, verified("2026-07-02"), "another name is no newer fact about training")

	w.completedAt(stays, 4, "2026-03-20")
	w.in(func(tx pgx.Tx) error {
		if err := w.Merge(t.Context(), tx, p.ID, stays.ID, at("2026-08-01", t)); err != nil {
			return err
		}
		lmstest.Merge(t, tx, p.ID, stays.ID)
		return nil
	})
	merged := verified("2026-08-02")
	require.Equal(t, then.Record, merged.Record, "the profile that went has the record that it had")
	require.Equal(t, stays.ID, merged.Owner)
	require.True(t, merged.Newer, "the other profile's training")
}
