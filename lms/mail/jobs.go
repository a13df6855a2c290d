package mail

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/riverqueue/river"

	"mopd/lms/jobs"
)

// outgoing is worked beside everything else: a slow mail server holds up no credit.
var outgoing = jobs.Queue{Name: "mail", AtOnce: 8}

// Queues are where messages wait.
func (o *Outbox) Queues() []jobs.Queue { return []jobs.Queue{outgoing} }

// maxAttempts are spread over half a day by River's growing pauses. A mail server that
// is down for longer is noticed before.
const maxAttempts = 12

var insertOpts = river.InsertOpts{Queue: outgoing.Name, MaxAttempts: maxAttempts}

type sendMailArgs struct {
	Sealed []byte `json:"sealed"` // a Letter
}

// Kind names the job.
func (sendMailArgs) Kind() string { return "send_mail" }

// InsertOpts put the job in its queue.
func (sendMailArgs) InsertOpts() river.InsertOpts { return insertOpts }

type sendTextArgs struct {
	Sealed []byte `json:"sealed"` // a Text
}

// Kind names the job.
func (sendTextArgs) Kind() string { return "send_text" }

// InsertOpts put the job in its queue.
func (sendTextArgs) InsertOpts() river.InsertOpts { return insertOpts }

// Workers registers the jobs that send.
func (o *Outbox) Workers(ws *river.Workers) {
	river.AddWorker(ws, river.WorkFunc(o.sendMail))
	river.AddWorker(ws, river.WorkFunc(o.sendText))
}

// sendMail may send a letter twice when it is killed between the server's yes and its
// own end: then both have the same Message-ID and date.
func (o *Outbox) sendMail(ctx context.Context, job *river.Job[sendMailArgs]) error {
	var l Letter
	if err := o.open(job.Args.Sealed, &l); err != nil {
		return err
	}
	m, err := compose(l, o.from, messageID(job.ID, job.Args.Sealed), job.CreatedAt)
	if err != nil {
		return err
	}
	return finally(o.server.send(ctx, m))
}

func (o *Outbox) sendText(ctx context.Context, job *river.Job[sendTextArgs]) error {
	if !o.CanText() {
		return ErrNoGateway
	}
	var t Text
	if err := o.open(job.Args.Sealed, &t); err != nil {
		return err
	}
	return finally(o.Gateway.SendText(ctx, t))
}

// finally ends a job whose message no further try can send.
func finally(err error) error {
	if errors.Is(err, ErrRefused) {
		return river.JobCancel(err)
	}
	return err
}

// messageID is the same at every try of a job, and never that of a job with the same
// number in another database.
func messageID(job int64, sealed []byte) string {
	sum := sha256.Sum256(sealed)
	return fmt.Sprintf("%d.%x", job, sum[:8])
}
