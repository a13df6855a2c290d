package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"mopd/cmd/internal/app"
	"mopd/courses"
	"mopd/lms"
	"mopd/lms/accounts"
)

type publishCommand struct {
	app.Stores
	Package string `arg:"" type:"existingfile" help:"Course package, a ZIP file."`
	Author  string `help:"Somebody who may work on the course from now on: e-mail address or MOPD ID of a person with the role of author. A new course without one is the administrators'."`
	courseFlags
}

// courseFlags are facts about a course; what is not given stays as it is.
type courseFlags struct {
	Code      string   `help:"Code of the course, such as SSL-100. A new code makes a new course; of a course that is there, what is not given stays as it is." required:""`
	Title     *string  `help:"Title of the course (a new one's: the package's)."`
	Summary   *string  `help:"One sentence about the course."`
	Sponsor   *string  `help:"Who offers the course (a new one: Office of Childhood)."`
	Topic     []string `help:"Topic; may be repeated."`
	Series    *string  `help:"Series that the course belongs to."`
	Fee       *string  `help:"Fee in dollars (a new one: 0)."`
	SafeSleep *bool    `help:"The course counts toward the three-year safe sleep requirement." negatable:""`
	Approval  string   `help:"Number of the approval of its clock hours; a new course needs it. Another number takes the former's place."`
	Hours     *string  `help:"Approved clock hours, in whole quarters; a new approval needs them."`
	From      *string  `help:"First day of the approval (a new one: today)." placeholder:"YYYY-MM-DD"`
	Until     *string  `help:"First day after the approval; empty for without end (a new one is)." placeholder:"YYYY-MM-DD"`
	Approver  *string  `help:"Who approved the hours (of a new one: the sponsor)."`
}

// Run is called by kong.
func (c *publishCommand) Run(ctx context.Context, _ *slog.Logger) error {
	now := time.Now()
	file, err := os.Open(c.Package)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	db, blobs, err := c.Open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	people, err := accounts.New(accounts.Dependencies{DB: db})
	if err != nil {
		return err
	}
	service := courses.New(courses.Dependencies{DB: db, Blobs: blobs, Audit: people, People: people})
	facts, err := c.facts(ctx, service, lms.DateOf(now))
	if err != nil {
		return err
	}
	version, err := service.Publish(ctx, courses.System, courses.PublishRequest{
		Facts: facts, Name: filepath.Base(c.Package), Package: file, Size: info.Size(), Author: c.Author,
	}, now)
	if err != nil {
		return err
	}
	fmt.Printf("%s is published, version %d\n", facts.Code, version)
	return nil
}

var errNewCourse = errors.New("a new course needs --approval and --hours")

// facts are what is said about the course already, with what is given in its place.
func (c *courseFlags) facts(ctx context.Context, service *courses.Service, today lms.Date) (courses.Facts, error) {
	f, err := service.Facts(ctx, c.Code, c.Approval)
	switch {
	case errors.Is(err, lms.ErrNotFound):
		if c.Approval == "" || c.Hours == nil {
			return f, errNewCourse
		}
		f = courses.Facts{Code: c.Code, Sponsor: "Office of Childhood"}
	case err != nil:
		return f, err
	}
	give(&f.Title, c.Title)
	give(&f.Summary, c.Summary)
	give(&f.Sponsor, c.Sponsor)
	give(&f.Series, c.Series)
	give(&f.SafeSleep, c.SafeSleep)
	if c.Topic != nil {
		f.Topics = c.Topic
	}
	if err := read(&f.Fee, c.Fee, lms.ParseMoney); err != nil {
		return f, err
	}
	f.Approval, err = c.approval(f, today)
	return f, err
}

// approval is what is to be recorded: nothing when the course's own stays as it is.
func (c *courseFlags) approval(f courses.Facts, today lms.Date) (courses.Approval, error) {
	known := f.Approval.Number != ""
	given := c.Hours != nil || c.From != nil || c.Until != nil || c.Approver != nil
	if !given && (known || c.Approval == "") {
		return courses.Approval{}, nil
	}
	a := f.Approval
	if !known {
		a = courses.Approval{Number: c.Approval, From: today, Approver: f.Sponsor}
	}
	give(&a.Approver, c.Approver)
	return a, errors.Join(
		read(&a.Hours, c.Hours, lms.ParseHours),
		read(&a.From, c.From, lms.ParseDate),
		read(&a.Until, c.Until, parseEnd),
	)
}

func parseEnd(s string) (lms.Date, error) {
	if s == "" {
		return lms.Date{}, nil
	}
	return lms.ParseDate(s)
}

func give[T any](to, given *T) {
	if given != nil {
		*to = *given
	}
}

func read[T any](to *T, given *string, parse func(string) (T, error)) (err error) {
	if given != nil {
		*to, err = parse(*given)
	}
	return err
}
