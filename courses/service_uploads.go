package courses

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/courses/packages"
	"mopd/lms"
	"mopd/lms/pg"
	"mopd/lms/web"
)

// UploadID is the primary key of an upload.
type UploadID int64

// UploadState is where an upload stands.
type UploadState string

// The states of an upload; the last three are its ends.
const (
	Receiving  UploadState = "receiving"
	Processing UploadState = "processing"
	Done       UploadState = "done"
	Refused    UploadState = "refused"
	Cancelled  UploadState = "cancelled"
)

// Step is what is being done with an upload.
type Step string

// The steps of an upload, in their order.
const (
	StepReceive Step = "receive" // chunks arrive
	StepCheck   Step = "check"   // they are put together
	StepRead    Step = "read"    // the package is read through
	StepStore   Step = "store"   // its files are stored
	StepReady   Step = "ready"   // there is a draft
)

// Steps are all steps, in their order.
var Steps = []Step{StepReceive, StepCheck, StepRead, StepStore, StepReady}

// Upload is a package on its way in.
type Upload struct {
	ID          UploadID
	Course      lms.CourseID
	Code        string // of the course
	Filename    string
	Size        int64 // in bytes
	Chunks      int
	Received    []int32 // numbers of chunks, from 0
	State       UploadState
	Step        Step
	Refusal     string // code of an error
	RefusalArgs map[string]any
	Version     lms.VersionID // 0 until it is done
	Run         int           // numbers the runs of its job; the latest has it in hand
}

// Why is the error for which the upload was refused; nil if it was not.
func (u Upload) Why() *lms.Error {
	if u.Refusal == "" {
		return nil
	}
	e := lms.NewError(lms.Invalid, u.Refusal)
	for name, value := range u.RefusalArgs {
		if n, ok := value.(float64); ok {
			value = int(n) // JSON knows no integers, and every number here is one
		}
		e = e.With(name, value)
	}
	return e
}

// ChunkSize is the size of every chunk but the last, in bytes.
const ChunkSize = web.MaxChunk

func (u Upload) sizeOf(chunk int) int64 {
	return min(ChunkSize, u.Size-int64(chunk)*ChunkSize)
}

func (u Upload) keyOf(chunk int) string { return fmt.Sprintf("%s%d/%d", chunkPrefix, u.ID, chunk) }

const chunkPrefix = "uploads/"

// BeginUpload opens an upload for a course of the actor's.
//
// Errors: lms.ErrNotFound, ErrUploadEmpty, packages.ErrTooLarge.
func (s *Service) BeginUpload(ctx context.Context, actor Actor, code, filename string, size int64, now time.Time) (id UploadID, err error) {
	if size <= 0 {
		return 0, ErrUploadEmpty
	}
	if limit := packages.Usual.Package; size > limit {
		return 0, packages.ErrTooLarge.With("Limit", fmt.Sprintf("%d GB", limit>>30))
	}
	filename = strings.Map(func(r rune) rune {
		if r < ' ' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(path.Base(strings.ReplaceAll(filename, `\`, "/")), "_"))
	if runes := []rune(filename); len(runes) > 200 {
		filename = string(runes[len(runes)-200:])
	}
	chunks := int((size + ChunkSize - 1) / ChunkSize)
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		course, err := courseOf(ctx, tx, actor, code, lms.DateOf(now))
		if err != nil {
			return err
		}
		id, err = insertUpload(ctx, tx, course.ID, actor.person(), filename, size, chunks, now)
		return err
	})
	return id, err
}

// Upload finds an upload of the actor's own, for a course of theirs.
//
// Errors: lms.ErrNotFound.
func (s *Service) Upload(ctx context.Context, actor Actor, id UploadID) (Upload, error) {
	return uploadOf(ctx, s.DB, actor, id)
}

// PutChunk takes one chunk; taking it again does no harm.
//
// Errors: lms.ErrNotFound, ErrUploadOver, ErrUploadChunk, lms.ErrUnavailable.
func (s *Service) PutChunk(ctx context.Context, actor Actor, id UploadID, n int, body []byte, now time.Time) error {
	u, err := uploadOf(ctx, s.DB, actor, id)
	switch {
	case err != nil:
		return err
	case u.State != Receiving:
		return ErrUploadOver
	case n < 0 || n >= u.Chunks || int64(len(body)) != u.sizeOf(n):
		return ErrUploadChunk
	}
	if err := s.Blobs.Put(ctx, u.keyOf(n), bytes.NewReader(body), int64(len(body))); err != nil {
		return err
	}
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error { return receiveChunk(ctx, tx, id, n, now) })
	if errors.Is(err, ErrUploadOver) {
		return errors.Join(err, s.dropLateChunk(ctx, actor.person(), id, n))
	}
	return err
}

// dropLateChunk removes a chunk that was on its way while its upload was given up.
// The chunks of one that is being processed are still needed.
func (s *Service) dropLateChunk(ctx context.Context, person lms.PersonID, id UploadID, n int) error {
	u, err := selectUploadOf(ctx, s.DB, person, id)
	if err != nil || u.State == Processing {
		return err
	}
	return s.Blobs.Delete(ctx, u.keyOf(n))
}

// FinishUpload says that every chunk was sent, and causes the job that reads the
// package. Saying it again does no harm.
//
// Errors: lms.ErrNotFound, ErrUploadOver, ErrUploadIncomplete.
func (s *Service) FinishUpload(ctx context.Context, actor Actor, id UploadID, now time.Time) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if _, err := uploadOf(ctx, tx, actor, id); err != nil {
			return err
		}
		u, err := lockUpload(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case u.State == Processing || u.State == Done:
			return nil
		case u.State != Receiving:
			return ErrUploadOver
		case len(u.Received) != u.Chunks:
			return ErrUploadIncomplete
		}
		if err := updateUpload(ctx, tx, id, Processing, StepCheck, now); err != nil {
			return err
		}
		return s.enqueue(ctx, tx, id)
	})
}

func (s *Service) enqueue(ctx context.Context, tx pgx.Tx, id UploadID) error {
	if _, err := s.Jobs.InsertTx(ctx, tx, processUploadArgs{Upload: id}, nil); err != nil {
		return fmt.Errorf("enqueue upload %d: %w", id, err)
	}
	return nil
}

// CancelUpload gives an upload up and removes what came of it. Saying it again does
// no harm; once the version is being stored it is too late.
//
// Errors: lms.ErrNotFound, ErrUploadTooLate, lms.ErrUnavailable.
func (s *Service) CancelUpload(ctx context.Context, actor Actor, id UploadID, now time.Time) error {
	var u Upload
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) (err error) {
		if _, err := uploadOf(ctx, tx, actor, id); err != nil {
			return err
		}
		if u, err = lockUpload(ctx, tx, id); err != nil {
			return err
		}
		if u.State == Done || u.State == Processing && u.Step == StepStore {
			return ErrUploadTooLate
		}
		if u.State == Refused {
			return nil
		}
		return updateUpload(ctx, tx, id, Cancelled, u.Step, now)
	})
	if err != nil {
		return err
	}
	return s.dropChunks(ctx, u)
}

func (s *Service) dropChunks(ctx context.Context, u Upload) error {
	keys := make([]string, u.Chunks)
	for n := range keys {
		keys[n] = u.keyOf(n)
	}
	return s.Blobs.Delete(ctx, keys...)
}
