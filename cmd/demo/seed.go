package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mopd/cmd/demo/coursekit"
	"mopd/cmd/internal/app"
	"mopd/courses"
	"mopd/lms"
	"mopd/lms/accounts"
)

const (
	demoPassword = "demo-password"
	demoAuthor   = "author@demo.example"
)

type demoPerson struct {
	accounts.NewPerson
	what string
}

// people are the demo's accounts, one for each role.
var people = []demoPerson{
	demoAccount("Maya", "Ortiz", "caregiver@demo.example", "caregiver"),
	demoAccount("Dana", "Brooks", "director@demo.example", "director", lms.Director),
	demoAccount("Theo", "Grant", "trainer@demo.example", "trainer", lms.Trainer),
	demoAccount("Andre", "Lewis", demoAuthor, "course author", lms.Author),
	demoAccount("Grace", "Kim", "finance@demo.example", "finance", lms.Finance),
	demoAccount("Ruth", "Meyer", "registrar@demo.example", "registrar", lms.Registrar),
	demoAccount("Iris", "Chen", "inspector@demo.example", "inspector", lms.Inspector),
	demoAccount("Hector", "Ruiz", "helpdesk@demo.example", "help desk", lms.HelpDesk),
	demoAccount("Sam", "Baker", "administrator@demo.example", "administrator", lms.Administrator),
}

func demoAccount(given, family, email, what string, roles ...lms.Role) demoPerson {
	return demoPerson{accounts.NewPerson{Given: given, Family: family, Email: email, Password: demoPassword, Roles: roles}, what}
}

// earlier are profiles that wait to be claimed.
const earlier = `mopd_id,given,family,born,email,hired_on
204118,Lucía,Núñez,1979-03-15,lucia@demo.example,2019-08-01
204119,Sam,Carter,1985-11-02,sam@demo.example,2021-01-11
`

// staff are the addresses of those who need an authenticator app.
func staff() (emails []string) {
	for _, p := range people {
		if len(p.Roles) > 0 {
			emails = append(emails, p.Email)
		}
	}
	return emails
}

// seed adds the accounts and courses that are not there yet; the apps of staff hold
// secret. A course that is there
// belongs to whoever tries the demo: it stays as they left it.
func seed(ctx context.Context, a *app.App, secret string, now time.Time) error {
	for _, p := range people {
		if err := seedPerson(ctx, a.Accounts, p, secret, now); err != nil {
			return fmt.Errorf("%s: %w", p.Email, err)
		}
	}
	if _, err := a.Accounts.ImportPeople(ctx, strings.NewReader(earlier), now); err != nil {
		return fmt.Errorf("people of the earlier registry: %w", err)
	}
	list, err := coursekit.Catalog()
	if err != nil {
		return err
	}
	for _, c := range list.Courses {
		_, err := a.Courses.Facts(ctx, c.Code, "")
		if errors.Is(err, lms.ErrNotFound) {
			err = seedCourse(ctx, a.Courses, list, c, now)
		}
		if err != nil {
			return fmt.Errorf("course %s: %w", c.Code, err)
		}
	}
	return nil
}

func seedPerson(ctx context.Context, service *accounts.Service, p demoPerson, secret string, now time.Time) error {
	added, err := service.Add(ctx, p.NewPerson, now)
	if errors.Is(err, accounts.ErrEmailTaken) {
		return nil
	}
	if err != nil {
		return err
	}
	if !added.Staff() {
		secret = ""
	}
	return service.Equip(ctx, added.ID, secret, now)
}

func seedCourse(ctx context.Context, service *courses.Service, list coursekit.CourseList, c coursekit.Course, now time.Time) error {
	facts := courses.Facts{
		Code: c.Code, Title: c.Title, Summary: c.Summary, Sponsor: list.Sponsor, Topics: c.Topics, Series: c.Series,
		Fee: lms.Money(c.FeeCents), SafeSleep: c.SafeSleep,
		Approval: courses.Approval{Number: "DEMO-" + c.Code, Hours: lms.Hours(c.ClockHours * 4), From: lms.Date{Year: 2026, Month: 1, Day: 1}, Approver: list.Sponsor},
	}
	if !slices.Contains(coursekit.Codes(), c.Code) {
		if _, err := service.AddCourse(ctx, courses.System, facts, now); err != nil {
			return err
		}
		return service.AddAuthor(ctx, courses.System, c.Code, demoAuthor, now)
	}
	var pkg bytes.Buffer
	if err := coursekit.Build(c.Code, &pkg); err != nil {
		return err
	}
	_, err := service.Publish(ctx, courses.System, courses.PublishRequest{
		Facts: facts, Name: c.Code + ".zip", Package: bytes.NewReader(pkg.Bytes()), Size: int64(pkg.Len()), Author: demoAuthor,
	}, now)
	return err
}
