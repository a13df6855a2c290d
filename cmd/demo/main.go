// Command demo runs the product on embedded parts, on one machine, with nothing to
// configure: its own Postgres, its own object store, courses and accounts to try.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

type commands struct {
	Run   runCommand   `cmd:"" default:"withargs" help:"Run the demo (the default)."`
	Store storeCommand `cmd:"" help:"Serve an S3 object store from a folder."`
}

type storeCommand struct {
	Dir       string `required:"" help:"Folder that keeps the objects." env:"MOPD_STORE_DIR"`
	Listen    string `default:"127.0.0.1:0" help:"Address to listen on; port 0 picks a free one." env:"MOPD_STORE_LISTEN"`
	AccessKey string `required:"" help:"Access key that clients must use." env:"MOPD_STORE_ACCESS_KEY"`
	SecretKey string `required:"" help:"Secret key that clients must use." env:"MOPD_STORE_SECRET_KEY"`
}

// Run is called by kong.
func (c *storeCommand) Run(ctx context.Context) error {
	return runStore(ctx, storeOptions{Dir: c.Dir, Listen: c.Listen, AccessKey: c.AccessKey, SecretKey: c.SecretKey}, os.Stdout)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	parsed := kong.Parse(&c, kong.Name("demo"), kong.Description("The learning management system on one machine."),
		kong.BindTo(ctx, (*context.Context)(nil)))
	parsed.FatalIfErrorf(parsed.Run())
}
