// Command bench measures the product: it boots the real thing on a database, an object
// store and a stand-in for Stripe of its own, all on this machine and thrown away at the
// end, and prints one line for each figure to standard output:
//
//	figure NAME VALUE UNIT baseline VALUE ratio R
//
// A baseline is something simple that is measured in the same run, so that the ratio can
// be compared between machines that differ, where the value cannot. It fails when what
// was measured did not do its work, and when a figure misses its goal. Start at figures.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// limit is how long everything may take.
const limit = 45 * time.Minute

type command struct {
	Only  []string `help:"Measure these figures alone, named by their first letters, separated by commas."`
	Scale float64  `help:"Measure with so large a part of what a figure is about: quicker, and not what its name says." default:"1"`
	LMS   string   `help:"The product, built." name:"lms" default:"bin/lms" type:"existingfile"`
	Demo  string   `help:"The demo, built: it holds the object store." default:"bin/demo" type:"existingfile"`
	Data  string   `help:"Folder on a disk in which a folder is made for the time of the run." default:"/var/tmp" type:"existingdir"`
}

// Run is called by kong.
func (c *command) Run(ctx context.Context) (err error) {
	chosen, err := choose(c.Only)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	dir, err := os.MkdirTemp(c.Data, "mopd-bench-")
	if err != nil {
		return fmt.Errorf("folder of the run: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o711); err != nil { // Postgres runs as another user than root
		return fmt.Errorf("folder of the run: %w", err)
	}
	g, stop, err := breakGround(ctx, dir, c.Demo)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if g.lms, err = filepath.Abs(c.LMS); err != nil {
		return fmt.Errorf("find the product: %w", err)
	}
	g.scale, g.progress = c.Scale, os.Stderr
	return measureAll(ctx, g, chosen, os.Stdout)
}

// measureAll measures one figure after the other, prints what each gives, and tells in
// its error what went wrong with any.
func measureAll(ctx context.Context, g *ground, chosen []figure, out io.Writer) error {
	var failed error
	for _, f := range chosen {
		g.tell("%s …", f.name)
		readings, err := f.measure(ctx, g)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", f.name, err))
		}
		for _, r := range readings {
			if _, err := fmt.Fprintln(out, r); err != nil {
				return fmt.Errorf("print a figure: %w", err)
			}
			failed = errors.Join(failed, r.missed())
		}
	}
	return failed
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c command
	parsed := kong.Parse(&c, kong.Name("bench"), kong.Description("Measures the learning management system on this machine."),
		kong.BindTo(ctx, (*context.Context)(nil)))
	parsed.FatalIfErrorf(parsed.Run())
}
