package main

import (
	"context"
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
	Package   string   `arg:"" type:"existingfile" help:"Course package, a ZIP file."`
	Code      string   `help:"Code of the course, such as SSL-100; a new code makes a new course." required:""`
	Title     string   `help:"Title of the course (default: the package's)."`
	Summary   string   `help:"One sentence about the course."`
	Sponsor   string   `help:"Who offers the course." default:"Office of Childhood"`
	Topic     []string `help:"Topic; may be repeated."`
	Series    string   `help:"Series that the course belongs to."`
	Fee       string   `help:"Fee in dollars." default:"0"`
	Hours     string   `help:"Approved clock hours, in whole quarters." required:""`
	Approval  string   `help:"Number of the approval." required:""`
	From      string   `help:"First day of the approval (default: today)." placeholder:"YYYY-MM-DD"`
	Until     string   `help:"First day after the approval (default: without end)." placeholder:"YYYY-MM-DD"`
	Approver  string   `help:"Who approved the hours (default: the sponsor)."`
	SafeSleep bool     `help:"The course counts toward the three-year safe sleep requirement."`
}

// Run is called by kong.
func (c *publishCommand) Run(ctx context.Context, _ *slog.Logger) error {
	now := time.Now()
	facts, err := c.facts(lms.DateOf(now))
	if err != nil {
		return err
	}
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
	service := courses.New(courses.Dependencies{DB: db, Blobs: blobs, Audit: accounts.New(accounts.Dependencies{DB: db})})
	version, err := service.Publish(ctx, courses.Actor{}, courses.PublishRequest{
		Facts: facts, Name: filepath.Base(c.Package), Package: file, Size: info.Size(),
	}, now)
	if err != nil {
		return err
	}
	fmt.Printf("%s is published, version %d\n", facts.Code, version)
	return nil
}

func (c *publishCommand) facts(today lms.Date) (f courses.Facts, err error) {
	f = courses.Facts{Code: c.Code, Title: c.Title, Summary: c.Summary, Sponsor: c.Sponsor, Topics: c.Topic, Series: c.Series, SafeSleep: c.SafeSleep}
	f.Approval = courses.Approval{Number: c.Approval, Approver: c.Approver, From: today}
	if c.Approver == "" {
		f.Approval.Approver = c.Sponsor
	}
	if f.Fee, err = lms.ParseMoney(c.Fee); err != nil {
		return f, err
	}
	if f.Approval.Hours, err = lms.ParseHours(c.Hours); err != nil {
		return f, err
	}
	if c.From != "" {
		if f.Approval.From, err = lms.ParseDate(c.From); err != nil {
			return f, err
		}
	}
	if c.Until != "" {
		f.Approval.Until, err = lms.ParseDate(c.Until)
	}
	return f, err
}
