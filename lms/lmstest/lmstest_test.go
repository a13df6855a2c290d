package lmstest

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { Main(m) }

func TestEveryTestHasAMigratedDatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	a, b := DB(t), DB(t)
	_, err := a.Exec(t.Context(), `CREATE TABLE public.mine (n int)`)
	require.NoError(t, err)

	var mine, jobs bool
	require.NoError(t, b.QueryRow(t.Context(),
		`SELECT to_regclass('public.mine') IS NOT NULL, to_regclass('river.river_job') IS NOT NULL`).Scan(&mine, &jobs))
	require.False(t, mine)
	require.True(t, jobs)
}

func TestADatabaseIsGoneAfterItsTest(t *testing.T) {
	t.Parallel()
	var url string
	t.Run("inner", func(t *testing.T) { url = DatabaseURL(t) })
	_, err := pgx.Connect(t.Context(), url)
	require.ErrorContains(t, err, "does not exist")
}

func TestADurableDatabaseWaitsForTheDisk(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), DurableDB(t))
	require.NoError(t, err)
	var commit, fsync string
	require.NoError(t, conn.QueryRow(t.Context(),
		`SELECT current_setting('synchronous_commit'), current_setting('fsync')`).Scan(&commit, &fsync))
	require.Equal(t, "on on", commit+" "+fsync)
	require.NoError(t, conn.Close(t.Context()))
}

func client(t *testing.T, c StoreConfig) *minio.Client {
	t.Helper()
	client, err := minio.New(c.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(c.AccessKey, c.SecretKey, "")})
	require.NoError(t, err)
	return client
}

// What the product asks of an object store, asked of the one that tests and the demo use.
func TestTheObjectStoreKeepsWhatItIsGiven(t *testing.T) {
	t.Parallel()
	c := Store(t)
	s3 := client(t, c)
	random := rand.NewChaCha8([32]byte{7})
	small, large := make([]byte, 1000), make([]byte, 20<<20)
	for _, b := range [][]byte{small, large} {
		_, err := random.Read(b)
		require.NoError(t, err)
	}
	put := func(key string, body []byte) {
		t.Helper()
		_, err := s3.PutObject(t.Context(), c.Bucket, key, bytes.NewReader(body), int64(len(body)),
			minio.PutObjectOptions{ContentType: "text/x-test", PartSize: 5 << 20})
		require.NoError(t, err)
	}
	get := func(key string, o minio.GetObjectOptions) []byte {
		t.Helper()
		object, err := s3.GetObject(t.Context(), c.Bucket, key, o)
		require.NoError(t, err)
		body, err := io.ReadAll(object)
		require.NoError(t, err)
		require.NoError(t, object.Close())
		return body
	}
	put("a/small", small)
	put("a/large", large) // four parts
	require.True(t, bytes.Equal(small, get("a/small", minio.GetObjectOptions{})))
	require.True(t, bytes.Equal(large, get("a/large", minio.GetObjectOptions{})))

	var part minio.GetObjectOptions
	require.NoError(t, part.SetRange(100, 199))
	require.True(t, bytes.Equal(small[100:200], get("a/small", part)))

	info, err := s3.StatObject(t.Context(), c.Bucket, "a/large", minio.StatObjectOptions{})
	require.NoError(t, err)
	require.Equal(t, int64(len(large)), info.Size)
	require.Equal(t, "text/x-test", info.ContentType)

	_, err = s3.CopyObject(t.Context(), minio.CopyDestOptions{Bucket: c.Bucket, Object: "b/copy"},
		minio.CopySrcOptions{Bucket: c.Bucket, Object: "a/large"})
	require.NoError(t, err)
	require.True(t, bytes.Equal(large, get("b/copy", minio.GetObjectOptions{})))

	require.Equal(t, []string{"a/large", "a/small", "b/copy"}, keys(t, s3, c.Bucket, ""))
	require.NoError(t, s3.RemoveObject(t.Context(), c.Bucket, "a/large", minio.RemoveObjectOptions{}))
	require.Equal(t, []string{"a/small"}, keys(t, s3, c.Bucket, "a/"))

	_, err = s3.StatObject(t.Context(), c.Bucket, "a/large", minio.StatObjectOptions{})
	require.Equal(t, http.StatusNotFound, minio.ToErrorResponse(err).StatusCode)
}

func keys(t *testing.T, s3 *minio.Client, bucket, prefix string) []string {
	t.Helper()
	var all []string
	for object := range s3.ListObjectsIter(t.Context(), bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		require.NoError(t, object.Err)
		all = append(all, object.Key)
	}
	return all
}

func TestTheObjectStoreRefusesAWrongKey(t *testing.T) {
	t.Parallel()
	c := Store(t)
	c.SecretKey = "guess"
	_, err := client(t, c).StatObject(t.Context(), c.Bucket, "x", minio.StatObjectOptions{})
	require.Equal(t, http.StatusForbidden, minio.ToErrorResponse(err).StatusCode)
}

func TestBucketsAreApart(t *testing.T) {
	t.Parallel()
	a, b := Store(t), Store(t)
	require.NotEqual(t, a.Bucket, b.Bucket)
	_, err := client(t, a).PutObject(t.Context(), a.Bucket, "k", bytes.NewReader([]byte("v")), 1, minio.PutObjectOptions{})
	require.NoError(t, err)
	require.Empty(t, keys(t, client(t, b), b.Bucket, ""))
}

func TestFoldersOfKilledTestProcessesAreRemovedAndNoOthers(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	now := time.Now()
	made := func(name string, age time.Duration) string {
		t.Helper()
		dir := filepath.Join(parent, name)
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "pg"), 0o755))
		require.NoError(t, os.Chtimes(dir, now.Add(-age), now.Add(-age)))
		return dir
	}
	abandoned := made(folderPattern+"1", time.Hour)
	served := made(folderPattern+"2", time.Hour)
	fresh := made(folderPattern+"3", 0)
	foreign := made("other", time.Hour)
	lock, err := os.Open(served)
	require.NoError(t, err)
	require.NoError(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))

	require.NoError(t, removeAbandoned(parent, now))
	require.NoDirExists(t, abandoned)
	for _, dir := range []string{served, fresh, foreign} {
		require.DirExists(t, dir)
	}
	require.NoError(t, lock.Close())
}

func TestDatabaseNamesTellTheirTest(t *testing.T) {
	t.Parallel()
	require.Equal(t, "A_b_c__d", identifier("TestA/b c ñd"))
	require.Len(t, identifier(fmt.Sprintf("Test%050d", 1)), 40)
}
