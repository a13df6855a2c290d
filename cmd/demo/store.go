package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

// storeOptions say where the object store keeps its bytes and who may use it.
type storeOptions struct {
	Dir       string // made when missing
	Listen    string // host:port; port 0 picks a free one
	AccessKey string
	SecretKey string
}

const (
	storeStartLimit = 20 * time.Second
	storeStopLimit  = 2 * time.Second // an upload that is cut off leaves no object behind
)

var errStoreEnded = errors.New("it ended by itself")

// runStore serves an S3 store from a folder until ctx ends. It prints one line to out once the store
// answers: "store listening on HOST:PORT".
//
// It changes the working directory of the whole process (posix.New does) and can run once per process,
// so it is a command of its own, and other commands start it as a child.
func runStore(ctx context.Context, o storeOptions, out io.Writer) error {
	address, err := storeAddress(ctx, o.Listen)
	if err != nil {
		return err
	}
	backend, err := storeBackend(o.Dir)
	if err != nil {
		return err
	}
	// Who answers on this path is this store, and not another process on the same port. No bucket name
	// starts with a dot.
	healthPath := "/.ready-" + rand.Text()
	serveCtx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- embedgw.RunVersityGW(serveCtx, backend, &embedgw.Config{
			RootUserAccess:    o.AccessKey,
			RootUserSecret:    o.SecretKey,
			IAMService:        auth.NewIAMServiceSingle(auth.Account{Access: o.AccessKey, Secret: o.SecretKey, Role: auth.RoleAdmin}),
			Ports:             []string{address},
			MaxConnections:    4096,
			MaxRequests:       4096,
			MultipartMaxParts: 10_000,
			HealthPath:        healthPath,
			KeepAlive:         true,
			Quiet:             true,
		})
	}()

	if err := awaitStore(ctx, "http://"+address+healthPath, ended); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "store listening on %s\n", address); err != nil {
		return fmt.Errorf("tell that the store answers: %w", err)
	}
	select {
	case err := <-ended:
		return fmt.Errorf("object store: %w", errors.Join(errStoreEnded, err))
	case <-ctx.Done():
	}
	// Its own shutdown waits for idle connections too.
	select {
	case err := <-ended:
		if err != nil && !errors.Is(err, context.Canceled) {
			return fmt.Errorf("object store: %w", err)
		}
	case <-time.After(storeStopLimit):
	}
	return nil
}

// storeAddress replaces port 0, which the store cannot report back, by a free port.
func storeAddress(ctx context.Context, listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("object store address: %w", err)
	}
	if port != "0" {
		return listen, nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", fmt.Errorf("object store: find a free port: %w", err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return "", fmt.Errorf("object store: find a free port: %w", err)
	}
	return address, nil
}

// storeBackend keeps objects as plain files, and what S3 wants to know about them in extended
// attributes, or beside them where the file system has none.
func storeBackend(dir string) (*posix.Posix, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("object store folder: %w", err)
	}
	objects, metadata := filepath.Join(dir, "objects"), filepath.Join(dir, "metadata")
	if err := os.MkdirAll(objects, 0o700); err != nil {
		return nil, fmt.Errorf("object store folder: %w", err)
	}
	options := posix.PosixOpts{CopyObjectThreshold: 5 << 30} // 0 would refuse every copy
	var storer meta.MetadataStorer = meta.XattrMeta{}
	if err := (meta.XattrMeta{}).Test(objects); err != nil {
		slog.Info("object store keeps metadata in files", "reason", err)
		if err := os.MkdirAll(metadata, 0o700); err != nil {
			return nil, fmt.Errorf("object store folder: %w", err)
		}
		if storer, err = meta.NewSideCar(metadata); err != nil {
			return nil, fmt.Errorf("object store folder: %w", err)
		}
		options.SideCarDir = metadata
	}
	backend, err := posix.New(objects, storer, options)
	if err != nil {
		return nil, fmt.Errorf("open the object store: %w", err)
	}
	return backend, nil
}

// awaitStore returns when url answers, or with the reason why it never will.
func awaitStore(ctx context.Context, url string, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, storeStartLimit)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case err := <-ended:
			return fmt.Errorf("start the object store: %w", errors.Join(errStoreEnded, err))
		case <-ctx.Done():
			return fmt.Errorf("start the object store: %w", ctx.Err())
		case <-ticker.C:
		}
		if answersOK(ctx, url) {
			return nil
		}
	}
}

func answersOK(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	if err := res.Body.Close(); err != nil {
		return false
	}
	return res.StatusCode == http.StatusOK
}
