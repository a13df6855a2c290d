// Package parts is what the product stands on where there is no real one: the stand-in
// for Stripe and the object store, each on an address of this machine. The demo and the
// benchmark share it. Start at OpenTill and StartStore.
package parts

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"mopd/lms/pg/pglocal/child"
	"mopd/payments/stripesim"
)

// Till stands in for Stripe on an address.
type Till struct {
	*stripesim.Sim
	listener net.Listener
}

// OpenTill makes a stand-in that will answer on a listener.
func OpenTill(l net.Listener, c stripesim.Config) (*Till, error) {
	sim, err := stripesim.New(c)
	if err != nil {
		return nil, err
	}
	return &Till{sim, l}, nil
}

// Run answers until ctx ends.
func (t *Till) Run(ctx context.Context) error {
	server := &http.Server{Handler: t.Handler(), ReadHeaderTimeout: 10 * time.Second}
	running, ctx := errgroup.WithContext(ctx)
	running.Go(func() error { return t.Sim.Run(ctx) })
	running.Go(func() error {
		if err := server.Serve(t.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve the stand-in for Stripe: %w", err)
		}
		return nil
	})
	running.Go(func() error {
		<-ctx.Done()
		return server.Close()
	})
	return running.Wait()
}

const storeStartLimit = 20 * time.Second

// StartStore runs the object store of the program "demo" as a child, since it changes the
// folder in which its whole process works. It gives the store's host and port.
func StartStore(ctx context.Context, demo, dir, accessKey, secretKey string) (*child.Process, string, error) {
	ctx, cancel := context.WithTimeout(ctx, storeStartLimit)
	defer cancel()
	cmd := exec.Command(demo, "store", "--dir", dir)
	// Arguments are for everybody to see; the environment is not.
	cmd.Env = append(os.Environ(), "MOPD_STORE_ACCESS_KEY="+accessKey, "MOPD_STORE_SECRET_KEY="+secretKey)
	return child.StartServing(ctx, cmd, syscall.SIGTERM, "store listening on ")
}
