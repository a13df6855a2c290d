package registry

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/jobs"
	"mopd/lms/lmstest"
)

// slow is an audit trail of a database that is some way off.
type slow struct{ trail }

func (s slow) Audit(ctx context.Context, tx pgx.Tx, e lms.AuditEntry) error {
	time.Sleep(6 * time.Millisecond)
	return s.trail.Audit(ctx, tx, e)
}

func TestAJobOfAnImportEndsInItsTimeHoweverManyRowsPeopleHave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Audit = slow{}
	var rows []string
	for range peopleAtATime {
		p := lmstest.Person(t, w.db)
		for i := range 40 {
			rows = append(rows, row(p, fmt.Sprintf("Training %d,1,2025-06-01,,,,", i)))
		}
	}
	id, err := w.ReadImport(t.Context(), 0, "records.csv", strings.NewReader(recordsHead+strings.Join(rows, "\n")), "", lmstest.Now)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), jobs.Timeout)
	defer cancel()
	_, err = w.WorkImport(ctx, id, lmstest.Now)
	require.NoError(t, err, "a job that fails waits longer each time, and gives up after 25")
}
