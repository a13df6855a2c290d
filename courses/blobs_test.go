package courses

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/courses/packages"
	"mopd/courses/packages/packagestest"
	"mopd/lms/blob"
	"mopd/lms/pg"
)

// abandon stores a package as a publishing does that is killed before its end.
func (w world) abandon(raw []byte) {
	w.t.Helper()
	p, err := packages.Read(w.t.Context(), bytes.NewReader(raw), int64(len(raw)), packages.Usual)
	require.NoError(w.t, err)
	_, err = w.keep(w.t.Context(), p, bytes.NewReader(raw), int64(len(raw)), noon)
	require.NoError(w.t, err)
}

func TestContentOfNoVersionIsRemovedAfterADay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, err := w.publishNew("SSL-100", packagestest.Course("one"))
	require.NoError(t, err)
	published := w.blobs()
	w.abandon(packagestest.Course("one", packagestest.File{Name: "more.txt", Body: "more"}))
	all := w.blobs()
	require.Greater(t, len(all), len(published))

	require.NoError(t, w.SweepBlobs(t.Context(), noon.Add(23*time.Hour)))
	require.Equal(t, all, w.blobs(), "its publishing may still go on")
	require.NoError(t, w.SweepBlobs(t.Context(), noon.Add(25*time.Hour)))
	require.Equal(t, published, w.blobs(), "what a version has stays, shared or not")
	require.Equal(t, len(published), w.count(`SELECT count(*) FROM courses.blobs`))

	require.NoError(t, w.Retire(t.Context(), w.author, v, noon))
	require.NoError(t, w.SweepBlobs(t.Context(), noon.AddDate(1, 0, 0)))
	require.Equal(t, published, w.blobs(), "who is enrolled finishes a retired version")
}

func TestMoreIsRemovedThanOneTransactionTakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.NoError(t, wantBlobs(t.Context(), w.DB, sumsOf(2*forgetAtOnce+1), noon))
	require.NoError(t, w.SweepBlobs(t.Context(), noon.Add(25*time.Hour)))
	require.Zero(t, w.count(`SELECT count(*) FROM courses.blobs`))
}

func sumsOf(n int) [][]byte {
	sums := make([][]byte, n)
	for i := range sums {
		sums[i] = make([]byte, 32)
		sums[i][0], sums[i][1] = byte(i), byte(i>>8)
	}
	return sums
}

// What the sweep is removing may be just what somebody publishes again.
func TestAPublishingWhoseContentIsBeingRemovedStoresItAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	raw := packagestest.Course("one")
	w.abandon(raw)
	abandoned := w.blobs()

	sweep, err := w.DB.Begin(t.Context())
	require.NoError(t, err)
	sums, err := forgetBlobs(t.Context(), sweep, noon.Add(time.Hour), forgetAtOnce)
	require.NoError(t, err)
	require.Len(t, sums, len(abandoned))

	published := make(chan error, 1)
	go func() { _, err := w.publishNew("SSL-100", raw); published <- err }()
	require.Eventually(t, func() bool {
		return w.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 1
	}, 10*time.Second, 10*time.Millisecond, "the publishing waits for the sweep")
	for _, sum := range sums {
		require.NoError(t, w.Blobs.Delete(t.Context(), blob.Key(sum)))
	}
	require.NoError(t, sweep.Commit(t.Context()))
	require.NoError(t, <-published)
	require.Equal(t, abandoned, w.blobs())
}

func TestWhatAVersionHasCannotBeForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.publishNew("SSL-100", packagestest.Course("one"))
	require.NoError(t, err)
	for guard, sql := range map[string]string{
		"files_sha256_fkey":     `DELETE FROM courses.blobs WHERE sha256 = (SELECT sha256 FROM courses.files LIMIT 1)`,
		"versions_package_fkey": `DELETE FROM courses.blobs WHERE sha256 = (SELECT package_sha256 FROM courses.versions)`,
	} {
		require.Equal(t, guard, pg.Violated(pg.Exec(t.Context(), w.DB, "forget", sql)))
	}
}

func TestContentThatChangesWhileItIsStoredIsNotStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := []byte("0123456789")
	changed := content{10, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }}
	require.ErrorIs(t, w.keepOne(t.Context(), [32]byte{1}, changed), errChanged)
	require.Empty(t, w.blobs())
}
