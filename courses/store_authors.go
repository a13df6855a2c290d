package courses

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// Author is somebody who may work on a course.
type Author struct {
	Person        lms.PersonID
	Given, Family string
	Since         time.Time
}

// Name is the author's name.
func (a Author) Name() string { return a.Given + " " + a.Family }

func selectAuthors(ctx context.Context, db pg.Querier, id lms.CourseID) ([]Author, error) {
	return pg.Rows[Author](ctx, db, "authors", `
		SELECT a.person, p.given, p.family, a.since
		FROM courses.authors a JOIN accounts.pub_people p ON p.person = a.person
		WHERE a.course = $1 ORDER BY a.since, a.person`, id)
}

func selectAuthorIDs(ctx context.Context, db pg.Querier, id lms.CourseID) ([]lms.PersonID, error) {
	return pg.Values[lms.PersonID](ctx, db, "authors", `SELECT person FROM courses.authors WHERE course = $1`, id)
}

// insertAuthor tells whether the person was none before.
func insertAuthor(ctx context.Context, tx pgx.Tx, id lms.CourseID, p lms.PersonID, now time.Time) (bool, error) {
	return pg.Changed(ctx, tx, "insert author", `
		INSERT INTO courses.authors (course, person, since) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, id, p, now)
}

func deleteAuthor(ctx context.Context, tx pgx.Tx, id lms.CourseID, p lms.PersonID) error {
	return pg.Exec(ctx, tx, "delete author", `DELETE FROM courses.authors WHERE course = $1 AND person = $2`, id, p)
}

// authorRow is a course in an author's list.
type authorRow struct {
	Code     string
	Title    string
	Hours    lms.Hours // of the approval in force; 0 if none
	Versions int
	State    VersionState // of its furthest version; "" if it has none
	Authors  []string     // their names
}

// selectAuthorRows are a person's courses, or all.
func selectAuthorRows(ctx context.Context, db pg.Querier, day lms.Date, person lms.PersonID, all bool) ([]authorRow, error) {
	return pg.Rows[authorRow](ctx, db, "courses", `
		SELECT c.code, c.title, c.hours, count(v.id) AS versions,
		       CASE WHEN bool_or(v.state = 'published') THEN 'published' WHEN bool_or(v.state = 'draft') THEN 'draft'
		            WHEN count(v.id) > 0 THEN 'retired' ELSE '' END AS state,
		       ARRAY(SELECT p.given || ' ' || p.family FROM courses.authors a JOIN accounts.pub_people p ON p.person = a.person
		             WHERE a.course = c.id ORDER BY a.since, a.person) AS authors
		FROM (`+selectCourseOn+`) AS c LEFT JOIN courses.versions v ON v.course = c.id
		WHERE $3 OR EXISTS (SELECT FROM courses.authors WHERE course = c.id AND person = $2)
		GROUP BY c.id, c.code, c.title, c.hours ORDER BY c.title, c.id`, day, person, all)
}
