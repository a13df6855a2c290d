package courses

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"mopd/lms/jobs"
)

// uploads are worked beside everything else, as is what looks after their content:
// each may take minutes and gigabytes.
var uploads = jobs.Queue{Name: "uploads", AtOnce: 2}

type processUploadArgs struct {
	Upload UploadID `json:"upload"`
}

// Kind names the job.
func (processUploadArgs) Kind() string { return "courses.process_upload" }

// InsertOpts put the job in its queue.
func (processUploadArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: uploads.Name} }

type processUpload struct {
	river.WorkerDefaults[processUploadArgs]
	service *Service
	now     jobs.Clock
}

// Timeout is long because a package may have 2 GiB. River rescues a killed job only
// after it; the sweep does so within two minutes.
func (*processUpload) Timeout(*river.Job[processUploadArgs]) time.Duration { return 10 * time.Minute }

func (w *processUpload) Work(ctx context.Context, job *river.Job[processUploadArgs]) error {
	return w.service.ProcessUpload(ctx, job.Args.Upload, w.now())
}

type sweepUploadsArgs struct{}

// Kind names the job.
func (sweepUploadsArgs) Kind() string { return "courses.sweep_uploads" }

type sweepUploads struct {
	river.WorkerDefaults[sweepUploadsArgs]
	service *Service
	now     jobs.Clock
}

func (w *sweepUploads) Work(ctx context.Context, _ *river.Job[sweepUploadsArgs]) error {
	return w.service.SweepUploads(ctx, w.now())
}

type sweepBlobsArgs struct{}

// Kind names the job.
func (sweepBlobsArgs) Kind() string { return "courses.sweep_blobs" }

// InsertOpts put the job in its queue.
func (sweepBlobsArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: uploads.Name} }

type sweepBlobs struct {
	river.WorkerDefaults[sweepBlobsArgs]
	service *Service
	now     jobs.Clock
}

// Timeout is long because a large package has thousands of files.
func (*sweepBlobs) Timeout(*river.Job[sweepBlobsArgs]) time.Duration { return 10 * time.Minute }

func (w *sweepBlobs) Work(ctx context.Context, _ *river.Job[sweepBlobsArgs]) error {
	return w.service.SweepBlobs(ctx, w.now())
}
