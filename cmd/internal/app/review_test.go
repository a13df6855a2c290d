package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/registry"
)

// worksImport works an import to its end.
func (b *box) worksImport(id registry.ImportID) {
	b.Helper()
	for ended := false; !ended; {
		var err error
		ended, err = b.Registry.WorkImport(b.Context(), id, b.clock.Now())
		require.NoError(b, err)
	}
}

func TestWhoseYearsARegistrarSeesBesideARowIsWrittenDown(t *testing.T) {
	t.Parallel()
	b := newBoxAt(t, otherSite, false)
	maya, rita := b.person("Maya"), b.person("Rita", lms.Registrar)
	rows := fmt.Sprintf("mopd_id,given,family,title,hours,completed_on\n999999,%s,%s,First days,1.5,2026-02-06\n", maya.Given, maya.Family)
	id, err := b.Registry.ReadImport(t.Context(), 0, "rows.csv", strings.NewReader(rows), "", b.clock.Now())
	require.NoError(t, err)
	b.worksImport(id)
	require.NoError(t, b.Registry.OrderImport(t.Context(), 0, id, false, "", b.clock.Now()))
	b.worksImport(id)

	a := b.signedIn(rita).get(fmt.Sprintf("/records/imports/%d/rows/2", id))
	require.Equal(t, 200, a.status)
	require.Contains(t, a.body, maya.Name())
	require.Contains(t, a.body, "to 1.5 of 12.0", "how their year stands")
	require.Equal(t, 1, b.counts(fmt.Sprintf(`SELECT count(*) FROM accounts.audit WHERE actor = %d AND subject = %d AND action = 'record_viewed'`, rita.ID, maya.ID)))
}
