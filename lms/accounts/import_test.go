package accounts

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
	"mopd/lms/sheet"
)

const header = "mopd_id,given,family,born,email,hired_on\n"

func (w *world) imports(file string) Import {
	w.t.Helper()
	done, err := w.ImportPeople(w.t.Context(), strings.NewReader(file), lmstest.Now)
	require.NoError(w.t, err)
	return done
}

// problems are the lines that did not go in, with the code of the reason.
func problems(done Import) map[int]string {
	found := map[int]string{}
	for _, p := range done.Problems {
		found[p.Line] = p.Why.Code
	}
	return found
}

func TestAnImportedPersonHasTheirNameBirthDateAddressAndHireDateAndNoLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	done := w.imports("\uFEFFhired_on,mopd_id,family,given,born,email\n9/15/2025,204118,Rivera López,Maya,1980-03-15,maya@example.org\n,204119,Ode,Ann,2/29/1996,\n")
	require.Equal(t, Import{Added: 2}, done)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.people p JOIN accounts.mopd_ids i ON i.person = p.id JOIN accounts.names n ON n.person = p.id
		JOIN accounts.addresses a ON a.person = p.id JOIN accounts.profiles f ON f.person = p.id AND f.claimed_at IS NULL JOIN registry.employments e ON e.person = p.id
		WHERE i.id = 204118 AND p.born = '1980-03-15' AND n.given = 'Maya' AND n.family = 'Rivera López' AND a.email = 'maya@example.org' AND f.email = a.email
			AND e.hired_on = '2025-09-15' AND e.source = 'import'`))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.people WHERE born = '1996-02-29'`))
	require.Zero(t, w.count(`SELECT count(*) FROM accounts.logins`))
	require.Equal(t, 2, w.count(`SELECT count(*) FROM accounts.audit WHERE action = 'imported'`))
}

func TestAnImportMayBeRunAgainAndAddsNothingTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := header + "204118,Maya,Rivera,1980-03-15,maya@example.org,2025-09-15\n204118,Maya,Rivera,3/15/1980,maya@example.org,9/15/2025\n"
	require.Equal(t, Import{Added: 1, Same: 1}, w.imports(file))
	require.Equal(t, Import{Same: 2}, w.imports(file))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.people`))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM registry.employments`))
}

func TestOtherFactsUnderAKnownMOPDIDAreReportedAndNeverWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	taken := w.add(maya()).MOPDID
	w.imports(header + "4204118,Maya,Rivera,1980-03-15,maya@example.org,\n")
	again := header + fmt.Sprintf("4204118,Maya,Ode,1980-03-15,maya@example.org,\n%d,Ann,Ode,1980-03-15,ann@example.org,\n", taken)
	for range 2 {
		done := w.imports(again)
		require.Equal(t, map[int]string{2: "import_differs", 3: "import_id_in_use"}, problems(done))
		require.Zero(t, done.Added)
	}
	require.Equal(t, 2, w.count(`SELECT count(*) FROM accounts.worklist WHERE kind = 'import'`), "each waits for a registrar once")
	require.Zero(t, w.count(`SELECT count(*) FROM accounts.names WHERE family = 'Ode'`))
}

func TestABadRowIsReportedWithItsLineWhileTheGoodOnesGoIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	done := w.imports(header +
		"99999,Maya,Rivera,1980-03-15,,\n" + // 2
		"204118,,Rivera,1980-03-15,,\n" +
		"204118,Maya,Rivera,15.3.1980,,\n" + // 4
		"204118,Maya,Rivera,1980-03-15,no address,\n" +
		"204118,Maya,Rivera,1980-03-15,,1980-03-14\n" + // 6
		"204118,Maya\n" +
		"204118,Ma\"ya,Rivera,1980-03-15,,\n" + // 8
		"204118,Ma\xFFya,Rivera,1980-03-15,,\n" +
		"204118,Maya,Rivera,1980-03-15,,\n") // 10
	require.Equal(t, map[int]string{2: "import_mopd_id", 3: "import_name", 4: "import_born", 5: "import_email", 6: "import_hired", 7: "import_row", 8: "import_row", 9: "import_row"}, problems(done))
	require.Equal(t, 1, done.Added)
}

func TestAFileWithoutAColumnIsRefusedWhole(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"", "mopd_id,given,family,born,email\n204118,Maya,Rivera,1980-03-15,\n"} {
		_, err := newWorld(t).ImportPeople(t.Context(), strings.NewReader(file), lmstest.Now)
		require.ErrorIs(t, err, sheet.ErrColumn)
	}
}

// people are the rows of many people.
func people(n int) []byte {
	file := bytes.NewBufferString(header)
	for i := range n {
		fmt.Fprintf(file, "%d,Given %[2]d,Family %[2]d,1980-03-15,p%[2]d@example.org,2025-09-15\n", 200_000+i, i)
	}
	return file.Bytes()
}

func TestAnImportThatBreaksOffIsFinishedByRunningItAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const n = importBatch + importBatch/2
	file := people(n)
	broken := io.MultiReader(bytes.NewReader(file[:len(file)-100]), iotest.ErrReader(io.ErrUnexpectedEOF))
	_, err := w.ImportPeople(t.Context(), broken, lmstest.Now)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, importBatch, w.count(`SELECT count(*) FROM accounts.profiles`))
	done, err := w.ImportPeople(t.Context(), bytes.NewReader(file), lmstest.Now)
	require.NoError(t, err)
	require.Equal(t, Import{Added: n - importBatch, Same: importBatch}, done)
	require.Equal(t, n, w.count(`SELECT count(*) FROM registry.employments`))
}

func TestImportsAtOnceBringEachPersonOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const n, at = 300, 4
	file := people(n)
	results := make(chan error, at)
	for range at {
		go func() {
			_, err := w.ImportPeople(context.WithoutCancel(t.Context()), bytes.NewReader(file), lmstest.Now)
			results <- err
		}()
	}
	for range at {
		require.NoError(t, <-results)
	}
	require.Equal(t, n, w.count(`SELECT count(*) FROM accounts.profiles`))
	require.Equal(t, n, w.count(`SELECT count(*) FROM registry.employments`))
}

func FuzzAnImportReadsAnyFileWithoutBreaking(f *testing.F) {
	f.Add(string(people(2)))
	f.Add("\uFEFF" + header + "\"")
	f.Fuzz(func(t *testing.T, file string) {
		rows, err := readImport(strings.NewReader(file), lmstest.Today)
		if err != nil {
			return
		}
		for range len(file) + 1 {
			p, _, err := rows.next()
			if err == io.EOF {
				return
			}
			if err == nil {
				require.True(t, p.MOPDID.Valid() && isName(p.Given) && isName(p.Family) && !p.Born.IsZero())
			} else if _, ok := lms.AsError(err); !ok {
				t.Fatal(err)
			}
		}
		t.Fatal("the file has no end")
	})
}

func BenchmarkImport(b *testing.B) {
	w := &world{db: lmstest.DB(b)}
	w.Service = &Service{Dependencies: Dependencies{DB: w.db, Registry: w}}
	file := people(100_000)
	for b.Loop() {
		start := time.Now()
		_, err := w.ImportPeople(b.Context(), bytes.NewReader(file), lmstest.Now)
		require.NoError(b, err)
		b.Logf("%s", time.Since(start))
	}
}

func TestANameOfAnyLengthIsLookedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.NoError(t, pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error {
		_, err := w.Namesakes(t.Context(), tx, strings.Repeat("a", 3000), "Jones")
		return err
	}))
}
