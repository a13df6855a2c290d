package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/cmd/internal/mailbox"
	"mopd/courses/packages/packagestest"
	"mopd/lms"
	"mopd/lms/blob"
	"mopd/lms/lmstest"
	"mopd/lms/secrets"
)

// asProgram makes the tests' binary be the program.
const asProgram = "LMS_UNDER_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	lmstest.Main(m)
}

// shell is where somebody runs the program, on a database and a bucket of their own.
type shell struct {
	*testing.T
	db    string
	store lmstest.StoreConfig
}

func newShell(t *testing.T) shell {
	t.Helper()
	return shell{t, lmstest.DatabaseURL(t), lmstest.Store(t)}
}

func (s shell) run(stdin string, args ...string) (stdout, stderr string, err error) {
	s.Helper()
	return s.runWith(nil, stdin, args...)
}

// runWith adds to the environment.
func (s shell) runWith(env []string, stdin string, args ...string) (stdout, stderr string, err error) {
	s.Helper()
	self, err := os.Executable()
	require.NoError(s, err)
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(s.Context(), self, args...)
	cmd.Env = append(os.Environ(), asProgram+"=yes", "DATABASE_URL="+s.db, "S3_ENDPOINT="+s.store.Endpoint, "S3_ACCESS_KEY="+s.store.AccessKey,
		"S3_SECRET_KEY="+s.store.SecretKey, "S3_BUCKET="+s.store.Bucket)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func (s shell) file(raw []byte) string {
	s.Helper()
	name := filepath.Join(s.TempDir(), "package.zip")
	require.NoError(s, os.WriteFile(name, raw, 0o600))
	return name
}

func (s shell) publish(raw []byte, flags ...string) {
	s.Helper()
	_, stderr, err := s.run("", append([]string{"publish", s.file(raw)}, flags...)...)
	require.NoError(s, err, stderr)
}

// refused is what the program says against a publishing.
func (s shell) refused(raw []byte, flags ...string) string {
	s.Helper()
	_, stderr, err := s.run("", append([]string{"publish", s.file(raw)}, flags...)...)
	require.Error(s, err)
	return stderr
}

func query[T any](s shell, sql string) (v T) {
	s.Helper()
	conn, err := pgx.Connect(s.Context(), s.db)
	require.NoError(s, err)
	defer conn.Close(s.Context())
	require.NoError(s, conn.QueryRow(s.Context(), sql).Scan(&v))
	return v
}

func (s shell) course() string {
	s.Helper()
	return query[string](s, `SELECT concat_ws('|', code, title, summary, sponsor, topics, series, fee_cents, safe_sleep) FROM courses.courses`)
}

func (s shell) approval() string {
	s.Helper()
	return query[string](s, `SELECT string_agg(concat_ws('|', number, quarters, valid_from, coalesce(valid_until::text, '-'), approver), ', ' ORDER BY number)
		FROM courses.current_approvals`)
}

const newCourse = "--code=SSL-100 --approval=A-1 --hours=1.25 --from=2026-01-01"

func TestANewCourseIsPublished(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	pkg := packagestest.Course("Safe Sleep")
	require.Contains(t, s.refused(pkg, "--code=SSL-100", "--hours=1"), "a new course needs --approval and --hours")
	stdout, stderr, err := s.run("", append([]string{"publish", s.file(pkg)}, strings.Fields(newCourse)...)...)
	require.NoError(t, err, stderr)
	require.Contains(t, stdout, "SSL-100 is published")
	require.Equal(t, "SSL-100|Safe Sleep||Office of Childhood|{}||0|f", s.course())
	require.Equal(t, "A-1|5|2026-01-01|-|Office of Childhood", s.approval())
	require.Equal(t, "published", query[string](s, `SELECT state FROM courses.versions`))
}

func TestARevisedPackageKeepsWhatIsNotGiven(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.publish(packagestest.Course("one"), append(strings.Fields(newCourse), "--until=2099-01-01", "--approver=DESE", "--title=Safe Sleep", "--summary=How to.",
		"--sponsor=Sleep School", "--topic=Health", "--topic=Safety", "--series=Babies", "--fee=5.00", "--safe-sleep")...)
	const course, approval = "SSL-100|Safe Sleep|How to.|Sleep School|{Health,Safety}|Babies|500|t", "A-1|5|2026-01-01|2099-01-01|DESE"
	require.Equal(t, course, s.course())
	require.Equal(t, approval, s.approval())

	s.publish(packagestest.Course("two"), "--code", "ssl-100")
	require.Equal(t, course, s.course())
	s.publish(packagestest.Course("three"), "--code=SSL-100", "--approval=A-1")
	require.Equal(t, approval, s.approval())
	require.Equal(t, 1, query[int](s, `SELECT count(*) FROM courses.approvals`))
	require.Equal(t, "retired retired published", query[string](s, `SELECT string_agg(state, ' ' ORDER BY n) FROM courses.versions`))

	s.publish(packagestest.Course("three"), "--code=SSL-100", "--fee=0", "--no-safe-sleep", "--topic=Health", "--hours=1.5", "--until=")
	require.Equal(t, "SSL-100|Safe Sleep|How to.|Sleep School|{Health}|Babies|0|f", s.course())
	require.Equal(t, "A-1|6|2026-01-01|-|DESE", s.approval())
	s.publish(packagestest.Course("three"), "--code=SSL-100", "--approval=A-2", "--hours=2", "--from=2098-01-01")
	require.Equal(t, "A-1|6|2026-01-01|2098-01-01|DESE, A-2|8|2098-01-01|-|Sleep School", s.approval())
	require.Contains(t, s.refused(packagestest.Course("four"), "--code=SSL-100", "--approval=A-3"), "hours: ")
}

func TestAPublishedCourseBelongsToTheAuthorWhoIsNamed(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	pkg := packagestest.Course("one")
	named := append(strings.Fields(newCourse), "--author=ana@example.org")
	require.Contains(t, s.refused(pkg, named...), "MOPD ID", "there is nobody of this address")
	_, stderr, err := s.run("correct horse battery\n", "user", "add", "--email=ana@example.org", "--given=Ana", "--family=Lopez", "--role=author")
	require.NoError(t, err, stderr)
	s.publish(pkg, named...)
	require.Equal(t, "SSL-100 ana@example.org", query[string](s, `SELECT c.code || ' ' || l.email FROM courses.authors a
		JOIN courses.courses c ON c.id = a.course JOIN accounts.logins l ON l.person = a.person`))
}

func TestABrokenPackageSaysWhyInWordsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	said := s.refused(packagestest.ZIP(packagestest.File{Name: "readme.txt", Body: "no manifest"}), strings.Fields(newCourse)...)
	require.Contains(t, said, "imsmanifest.xml")
	require.NotContains(t, said, "package_no_manifest", "a sentence, not its code")
	require.Contains(t, s.refused([]byte("no ZIP at all"), strings.Fields(newCourse)...), "ZIP")
	require.Zero(t, query[int](s, `SELECT (SELECT count(*) FROM courses.courses) + (SELECT count(*) FROM courses.versions) + (SELECT count(*) FROM courses.blobs)`))
	store, err := blob.Open(t.Context(), blob.Config{Endpoint: s.store.Endpoint, AccessKey: s.store.AccessKey, SecretKey: s.store.SecretKey, Bucket: s.store.Bucket})
	require.NoError(t, err)
	keys, err := store.List(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, keys)
}

func TestAnAccountIsAdded(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	add := []string{"user", "add", "--email=ana@example.org", "--given=Ana", "--family=Lopez", "--lang=es", "--role=author"}
	stdout, stderr, err := s.run("correct horse battery\n", add...)
	require.NoError(t, err, stderr)
	require.Regexp(t, `^ana@example.org has MOPD ID \d{6}\n$`, stdout)
	require.Equal(t, string(lms.Author), query[string](s, `SELECT role FROM accounts.roles`))
	require.NotContains(t, query[string](s, `SELECT password_hash FROM accounts.logins`), "horse")

	_, stderr, err = s.run("another password\n", add...)
	require.Error(t, err)
	require.NotContains(t, stderr, "email_taken", "a sentence, not its code")
	_, stderr, err = s.run("", append(add, "--email=other@example.org")...)
	require.Error(t, err)
	require.Contains(t, stderr, "no password")
	require.Equal(t, 1, query[int](s, `SELECT count(*) FROM accounts.people`))
}

func TestAFreshDataKeyIsPrinted(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	one, stderr, err := s.run("", "key")
	require.NoError(t, err, stderr)
	_, err = secrets.Parse([]string{one})
	require.NoError(t, err)
	other, _, err := s.run("", "key")
	require.NoError(t, err)
	require.NotEqual(t, one, other)
}

func TestTheDoctorSaysWhetherTheMailServerAnswers(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	caught, err := mailbox.Start(t.Context())
	require.NoError(t, err)
	t.Cleanup(caught.Stop)
	env := []string{
		"APP_URL=https://learn.example.org", "CONTENT_HOST=content.example.org", "SECRET_KEY=" + strings.Repeat("k", 32),
		"DATA_KEYS=" + secrets.NewKey() + "," + secrets.NewKey(), "MAIL_FROM=Child Care Training <no-reply@example.org>", "SMTP_URL=" + caught.SMTPURL(),
	}
	said, stderr, err := s.runWith(env, "", "doctor")
	require.NoError(t, err, stderr)
	require.Contains(t, said, "mail server: 127.0.0.1:")
	require.Contains(t, said, "text messages: none")
	require.Contains(t, said, "all is well")

	said, stderr, err = s.runWith(append(env, "SMTP_URL=smtp://127.0.0.1:1"), "", "doctor")
	require.Error(t, err)
	require.Contains(t, stderr, "reach the mail server")
	require.NotContains(t, said, "all is well")

	_, stderr, err = s.runWith(append(env, "DATA_KEYS=none"), "", "doctor")
	require.Error(t, err)
	require.Contains(t, stderr, "data key 1: want id:base64")
}
