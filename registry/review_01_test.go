package registry

import (
	"crypto/rand"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms/lmstest"
)

func TestARowWithALongReferenceStopsNoImport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, ana := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	random := make([]byte, 4000)
	_, err := rand.Read(random)
	require.NoError(t, err)
	id := w.imports(row(maya, "First aid,2,2025-06-01,,,,"+hex.EncodeToString(random)), row(ana, "First aid,2,2025-06-01,,,,R-2"))
	require.Equal(t, "credited", w.became(id)[1])
}
