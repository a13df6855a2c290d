package courses

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"mopd/courses/packages"
	"mopd/lms"
	"mopd/lms/pg"
)

// A run of an upload's job has the upload in hand until it is done, or has not been
// heard of for holdTime: then another run may take it over.
const (
	holdTime  = time.Minute
	holdEvery = holdTime / 4
)

var (
	errOver  = errors.New("the upload was given up")
	errTaken = errors.New("another run has the upload")
)

// ProcessUpload reads a package that has arrived whole and makes it a draft, or
// refuses it. It may be killed anywhere and run again; of two runs at once, one does
// nothing. Nothing is stored before the whole package was found sound.
//
// Errors: those that another try may not meet. A refusal is none: it is the outcome.
func (s *Service) ProcessUpload(ctx context.Context, id UploadID, now time.Time) (err error) {
	u, err := claimUpload(ctx, s.DB, id, holdTime)
	if errors.Is(err, errTaken) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.release(ctx, u)) }()

	if u.State == Processing {
		err = s.whileHeld(ctx, u, holdEvery, func(ctx context.Context) error { return s.ingest(ctx, u, now) })
	}
	switch {
	case errors.Is(err, errTaken):
		return nil
	case err != nil && !errors.Is(err, errOver):
		return fmt.Errorf("upload %d: %w", id, err)
	}
	return s.dropChunks(ctx, u)
}

// whileHeld does the work and says every so often that it is still being done. The
// work's context ends when another run has taken the upload over.
func (s *Service) whileHeld(ctx context.Context, u Upload, every time.Duration, work func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer stop()
		return work(ctx)
	})
	group.Go(func() error {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			if err := holdUpload(ctx, s.DB, u, holdTime); err != nil && ctx.Err() == nil {
				return err
			}
		}
	})
	return group.Wait()
}

const releaseTime = 5 * time.Second

// release lets another run have the upload at once, also for one that was stopped.
func (s *Service) release(ctx context.Context, u Upload) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	return releaseUpload(ctx, s.DB, u)
}

func (s *Service) ingest(ctx context.Context, u Upload, now time.Time) (err error) {
	if err := s.step(ctx, u, StepCheck, now); err != nil {
		return err
	}
	file, err := scratchFile()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := s.assemble(ctx, u, file); err != nil {
		return err
	}
	if err := s.step(ctx, u, StepRead, now); err != nil {
		return err
	}
	p, err := packages.Read(ctx, file, u.Size, packages.Usual)
	if refusal, ok := lms.AsError(err); ok {
		return s.inHand(ctx, u, func(tx pgx.Tx) error { return refuseUpload(ctx, tx, u.ID, refusal, now) })
	}
	if err != nil {
		return err
	}
	if err := s.step(ctx, u, StepStore, now); err != nil {
		return err
	}
	sum, err := s.keep(ctx, p, file, u.Size, now)
	if err != nil {
		return err
	}
	return s.inHand(ctx, u, func(tx pgx.Tx) error {
		if err := lockCourse(ctx, tx, u.Course); err != nil {
			return err
		}
		v, err := insertVersion(ctx, tx, u.Course, p, sum, u.Filename, now)
		if err != nil {
			return err
		}
		return finishUpload(ctx, tx, u.ID, v, now)
	})
}

// step shows what is being done now. It is the point at which a cancelled upload
// ends.
func (s *Service) step(ctx context.Context, u Upload, step Step, now time.Time) error {
	return s.inHand(ctx, u, func(tx pgx.Tx) error { return updateUpload(ctx, tx, u.ID, Processing, step, now) })
}

// inHand changes an upload that is still to be processed, by this run.
//
// Errors: errOver, errTaken.
func (s *Service) inHand(ctx context.Context, u Upload, change func(pgx.Tx) error) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		current, err := lockUpload(ctx, tx, u.ID)
		switch {
		case err != nil:
			return err
		case current.State != Processing:
			return errOver
		case current.Run != u.Run:
			return errTaken
		}
		return change(tx)
	})
}

// scratchFile has no name any more, so that it goes with the process, however that
// ends.
func scratchFile() (*os.File, error) {
	file, err := os.CreateTemp("", "package-*.zip")
	if err != nil {
		return nil, fmt.Errorf("temporary file: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, fmt.Errorf("temporary file: %w", errors.Join(err, file.Close()))
	}
	return file, nil
}

func (s *Service) assemble(ctx context.Context, u Upload, file io.Writer) error {
	for n := range u.Chunks {
		r, err := s.Blobs.Get(ctx, u.keyOf(n), 0, -1)
		if err != nil {
			return err
		}
		size, err := io.Copy(file, r)
		if err = errors.Join(err, r.Close()); err != nil {
			return fmt.Errorf("chunk %d: %w", n, err)
		}
		if size != u.sizeOf(n) {
			return fmt.Errorf("chunk %d has %d bytes, want %d", n, size, u.sizeOf(n))
		}
	}
	return nil
}

// staleAfter is when an upload is given up that nothing happens to, or nothing comes
// of.
const staleAfter = 24 * time.Hour

// SweepUploads gives up what was abandoned, picks up what was interrupted and
// removes chunks that nobody needs.
//
// Errors: lms.ErrUnavailable.
func (s *Service) SweepUploads(ctx context.Context, now time.Time) error {
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if err := giveUpUploads(ctx, tx, now.Add(-staleAfter), now); err != nil {
			return err
		}
		interrupted, err := freeUploads(ctx, tx)
		if err != nil {
			return err
		}
		for _, id := range interrupted {
			if err := s.enqueue(ctx, tx, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	// An upload that opens after the listing has no chunk in it.
	keys, err := s.Blobs.List(ctx, chunkPrefix)
	if err != nil {
		return err
	}
	open, err := openUploads(ctx, s.DB)
	if err != nil {
		return err
	}
	return s.Blobs.Delete(ctx, slices.DeleteFunc(keys, func(key string) bool {
		digits, _, _ := strings.Cut(strings.TrimPrefix(key, chunkPrefix), "/")
		id, err := strconv.ParseInt(digits, 10, 64)
		return err == nil && slices.Contains(open, UploadID(id))
	})...)
}
