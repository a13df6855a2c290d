package registry

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms/lmstest"
)

func TestARecordThatIsFoundToBeOfSafeSleepIsNotCalledTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya := lmstest.Person(t, w.db)
	w.imports(row(maya, "Safe sleep,1,2025-06-01,,,,R-1"))
	file := "mopd_id,given,family,title,hours,completed_on,reference,safe_sleep\n" + row(maya, "Safe sleep,1,2025-06-01,R-1,yes")
	id, err := w.ReadImport(t.Context(), 0, "records.csv", strings.NewReader(file), "", lmstest.Now)
	require.NoError(t, err)
	w.works(id)
	require.NotEqual(t, []string{"same"}, w.became(id))
}
