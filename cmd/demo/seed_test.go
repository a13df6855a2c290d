package main

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/cmd/internal/app"
	"mopd/courses"
	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/secrets"
)

func TestStartingTheDemoAgainLeavesTheAuthorsWorkAlone(t *testing.T) {
	t.Parallel()
	store := lmstest.Store(t)
	a, err := app.New(t.Context(), app.Settings{
		Stores: app.Stores{DatabaseURL: lmstest.DatabaseURL(t), S3Endpoint: store.Endpoint, S3AccessKey: store.AccessKey, S3SecretKey: store.SecretKey, S3Bucket: store.Bucket},
		AppURL: "http://localhost:1", ContentHost: "localhost", SecretKey: strings.Repeat("k", 32),
		DataKeys: []string{secrets.NewKey()}, SMTPURL: "smtp://localhost", MailFrom: "no-reply@demo.example",
	}, time.Now, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(a.Close)
	now := time.Now()
	require.NoError(t, seed(t.Context(), a, newAppSecret(), now))

	var nobodys int
	require.NoError(t, a.DB.QueryRow(t.Context(), `SELECT count(*) FROM courses.courses WHERE id NOT IN (SELECT course FROM courses.authors)`).Scan(&nobodys))
	require.Zero(t, nobodys, "the demo's author has every course")

	edited, err := a.Courses.Facts(t.Context(), "SSL-100", "")
	require.NoError(t, err)
	edited.Title, edited.Fee, edited.Approval.Number = "Changed by its author", 500, "A-1"
	require.NoError(t, a.Courses.EditCourse(t.Context(), courses.System, edited, now))
	tx, err := a.DB.Begin(t.Context())
	require.NoError(t, err)
	published, err := a.Courses.Course(t.Context(), tx, "SSL-100", lms.DateOf(now))
	require.NoError(t, err)
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, a.Courses.Retire(t.Context(), courses.System, published.Version, now))

	state := func() (s [3]string) {
		row := a.DB.QueryRow(t.Context(), `SELECT (SELECT string_agg(c::text, ' ' ORDER BY id) FROM courses.courses c),
			(SELECT string_agg(a::text, ' ' ORDER BY id) FROM courses.approvals a), (SELECT string_agg(v::text, ' ' ORDER BY id) FROM courses.versions v)`)
		require.NoError(t, row.Scan(&s[0], &s[1], &s[2]))
		return s
	}
	before := state()
	require.Contains(t, before[0], "Changed by its author")
	require.NoError(t, seed(t.Context(), a, newAppSecret(), now.Add(time.Hour)))
	require.Equal(t, before, state())
}
