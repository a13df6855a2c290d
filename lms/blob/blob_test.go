package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestMain(m *testing.M) { lmstest.Main(m) }

func config(t *testing.T) Config {
	t.Helper()
	c := lmstest.Store(t)
	return Config{Endpoint: c.Endpoint, AccessKey: c.AccessKey, SecretKey: c.SecretKey, Bucket: c.Bucket}
}

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), config(t))
	require.NoError(t, err)
	return s
}

func get(t *testing.T, s *Store, key string, offset, length int64) string {
	t.Helper()
	r, err := s.Get(t.Context(), key, offset, length)
	require.NoError(t, err)
	body, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return string(body)
}

func TestABucketIsMadeOnceHoweverManyOpenIt(t *testing.T) {
	t.Parallel()
	c := config(t)
	c.Bucket += "-new"
	results := make(chan error, 4)
	for range 4 {
		go func() { _, err := Open(t.Context(), c); results <- err }()
	}
	for range 4 {
		require.NoError(t, <-results)
	}
}

func TestWhatWasPutIsReadBackWholeOrInPart(t *testing.T) {
	t.Parallel()
	s := open(t)
	const key = "sha256/ab/abcd"
	found, err := s.Has(t.Context(), key)
	require.NoError(t, err)
	require.False(t, found)
	require.NoError(t, s.Put(t.Context(), key, strings.NewReader("0123456789"), 10))
	found, err = s.Has(t.Context(), key)
	require.NoError(t, err)
	require.True(t, found)

	for want, at := range map[string][2]int64{
		"0123456789": {0, -1}, "6789": {6, -1}, "0": {0, 1}, "345": {3, 3}, "89": {8, 100}, "": {4, 0},
	} {
		require.Equal(t, want, get(t, s, key, at[0], at[1]))
	}

	require.NoError(t, s.Put(t.Context(), "empty", strings.NewReader(""), 0))
	require.Empty(t, get(t, s, "empty", 0, -1))
}

func TestAnEmptyObjectSpoilsNoLaterRequest(t *testing.T) {
	t.Parallel()
	s := open(t)
	for range 200 {
		require.NoError(t, s.Put(t.Context(), "empty", strings.NewReader(""), 0))
		require.Empty(t, get(t, s, "empty", 0, -1))
	}
}

func TestAnObjectOfManyPartsIsStoredAsAStream(t *testing.T) {
	t.Parallel()
	s := open(t)
	body := bytes.Repeat([]byte("0123456789abcdef"), (partSize+1<<20)/16)
	// A reader that can only be read forward, in small pieces.
	require.NoError(t, s.Put(t.Context(), "large", iotest.HalfReader(bytes.NewReader(body)), int64(len(body))))
	require.Equal(t, sha256.Sum256(body), sha256.Sum256([]byte(get(t, s, "large", 0, -1))))
}

func TestAPutThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	s := open(t)
	broken := errors.New("broken")
	err := s.Put(t.Context(), "half", io.MultiReader(strings.NewReader("01234"), iotest.ErrReader(broken)), 10)
	require.ErrorIs(t, err, broken)
	err = s.Put(t.Context(), "short", strings.NewReader("01234"), 10)
	require.ErrorIs(t, err, lms.ErrUnavailable)
	keys, err := s.List(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, keys)
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, length := range []int64{-1, 0, 5} {
		_, err := s.Get(t.Context(), "none", 0, length)
		require.ErrorIs(t, err, lms.ErrNotFound)
	}
	require.NoError(t, s.Delete(t.Context(), "none"))
}

func TestKeysAreListedByPrefixAndDeleted(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, key := range []string{"uploads/1/0", "uploads/1/1", "uploads/12/0", "sha256/ab/abcd"} {
		require.NoError(t, s.Put(t.Context(), key, strings.NewReader("x"), 1))
	}
	keys, err := s.List(t.Context(), "uploads/1/")
	require.NoError(t, err)
	require.Equal(t, []string{"uploads/1/0", "uploads/1/1"}, keys)
	require.NoError(t, s.Delete(t.Context(), keys...))
	keys, err = s.List(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, []string{"sha256/ab/abcd", "uploads/12/0"}, keys)
}

// Who reads may take "not found" for an answer, so that a store that is away must not say it.
func TestWhatAStoreThatIsAwayHoldsIsNotTakenForMissing(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, length := range []int64{-1, 0, 5} {
		_, err := s.Get(ctx, "some", 0, length)
		require.ErrorIs(t, err, lms.ErrUnavailable)
		require.NotErrorIs(t, err, lms.ErrNotFound)
	}
}

func TestAStoreThatDoesNotAnswerIsUnavailable(t *testing.T) {
	t.Parallel()
	_, err := Open(t.Context(), Config{Endpoint: "127.0.0.1:1", AccessKey: "a", SecretKey: "b", Bucket: "bucket"})
	require.ErrorIs(t, err, lms.ErrUnavailable)
}

func TestAKeySpreadsByItsHash(t *testing.T) {
	t.Parallel()
	require.Equal(t, "sha256/e3/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", Key(sha256.Sum256(nil)))
}
