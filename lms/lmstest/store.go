package lmstest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"mopd/lms/pg/pglocal/child"
)

// StoreConfig is what a client needs to use a bucket of an S3 store over plain HTTP.
type StoreConfig struct {
	Endpoint  string // host:port
	AccessKey string
	SecretKey string
	Bucket    string
}

// demoBinary names the built cmd/demo, which holds the store; without it, it is built once per test process.
const demoBinary = "MOPD_DEMO_BIN"

const storeStartLimit = 3 * time.Minute // includes building it

// Store is a bucket of the test's own on an S3 store that this test process shares. The store and all
// its buckets are thrown away at the end.
func Store(t testing.TB) StoreConfig {
	t.Helper()
	c, err := store()
	if err != nil {
		t.Fatalf("start an object store for tests: %v", err)
	}
	c.Bucket = "t-" + strings.ToLower(rand.Text())
	client, err := minio.New(c.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(c.AccessKey, c.SecretKey, "")})
	if err != nil {
		t.Fatalf("open the test object store: %v", err)
	}
	if err := client.MakeBucket(t.Context(), c.Bucket, minio.MakeBucketOptions{}); err != nil {
		t.Fatalf("make a test bucket: %v", err)
	}
	return c
}

var store = sync.OnceValues(startStore)

func startStore() (StoreConfig, error) {
	ctx, cancel := context.WithTimeout(context.Background(), storeStartLimit)
	defer cancel()
	dir, err := newFolder(os.TempDir(), "store")
	if err != nil {
		return StoreConfig{}, err
	}
	binary, err := findDemo(ctx, dir+"-bin")
	if err != nil {
		return StoreConfig{}, err
	}
	c := StoreConfig{AccessKey: rand.Text(), SecretKey: rand.Text()}
	cmd := exec.Command(binary, "store", "--dir", dir, "--listen", "127.0.0.1:0")
	// Arguments are for everybody to see; the environment is not.
	cmd.Env = append(os.Environ(), "MOPD_STORE_ACCESS_KEY="+c.AccessKey, "MOPD_STORE_SECRET_KEY="+c.SecretKey)
	cmd.Stderr = os.Stderr
	p, address, err := child.StartServing(ctx, cmd, syscall.SIGKILL, "store listening on ")
	if err != nil {
		return StoreConfig{}, err
	}
	// Nothing of it is kept, so nothing is worth an orderly end.
	AtEnd(func(ctx context.Context) error { return p.Stop(ctx, syscall.SIGKILL) })
	c.Endpoint = address
	return c, nil
}

func findDemo(ctx context.Context, dir string) (string, error) {
	if binary := os.Getenv(demoBinary); binary != "" {
		if !filepath.IsAbs(binary) {
			return "", errors.New(demoBinary + " must be an absolute path: tests run in the folder of their package")
		}
		// Go remembers test results, and the files that a test looked at: a new binary is a new test.
		if _, err := os.Stat(binary); err != nil {
			return "", fmt.Errorf("%s: %w", demoBinary, err)
		}
		return binary, nil
	}
	binary := filepath.Join(dir, "demo")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "mopd/cmd/demo").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build cmd/demo: %w: %s", err, out)
	}
	return binary, nil
}
