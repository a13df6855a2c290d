package courses

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"mopd/courses/packages/packagestest"
	"mopd/lms"
	"mopd/lms/blob"
	"mopd/lms/jobs"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
)

func TestMain(m *testing.M) { lmstest.Main(m) }

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, lms.Central)

func on(day string) lms.Date {
	d, err := lms.ParseDate(day)
	if err != nil {
		panic(err)
	}
	return d
}

// trail writes the audit table as accounts does.
type trail struct{}

func (trail) Audit(ctx context.Context, tx pgx.Tx, e lms.AuditEntry) error {
	_, err := tx.Exec(ctx, `INSERT INTO accounts.audit (at, actor, action, subject, object, origin) VALUES ($1, nullif($2, 0), $3, nullif($4, 0), $5, $6)`,
		e.At, int64(e.Actor), e.Action, int64(e.Subject), e.Object, e.From)
	return err
}

// people finds authors by e-mail address alone.
type people struct{}

func (people) FindAuthor(ctx context.Context, tx pgx.Tx, email string) (p lms.Person, err error) {
	p.ID, err = pg.Value[lms.PersonID](ctx, tx, "author", `
		SELECT l.person FROM accounts.logins l JOIN accounts.roles r ON r.person = l.person AND r.role = 'author' WHERE l.email = $1`, email)
	return p, err
}

type world struct {
	*Service
	t      *testing.T
	author Actor
}

func newWorld(t *testing.T) world {
	t.Helper()
	return newWorldOn(t, lmstest.DB(t))
}

func newWorldOn(t *testing.T, db *pgxpool.Pool) world {
	t.Helper()
	cfg := lmstest.Store(t)
	store, err := blob.Open(t.Context(), blob.Config{Endpoint: cfg.Endpoint, AccessKey: cfg.AccessKey, SecretKey: cfg.SecretKey, Bucket: cfg.Bucket})
	require.NoError(t, err)
	inserter, err := jobs.NewInserter(db, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	w := world{Service: New(Dependencies{DB: db, Blobs: store, Jobs: inserter, Audit: trail{}, People: people{}}), t: t}
	w.author = w.somebody("Ana", lms.Author)
	return w
}

// somebody is a new person who is signed in.
func (w world) somebody(given string, roles ...lms.Role) Actor {
	w.t.Helper()
	p := lmstest.Person(w.t, w.DB, func(p *lms.Person) { p.Given, p.Roles = given, roles })
	return Actor{Viewer: &lms.Viewer{Person: p, Stage: lms.SignedIn}, From: "192.0.2.1"}
}

func (w world) count(sql string, args ...any) (n int) {
	w.t.Helper()
	require.NoError(w.t, w.DB.QueryRow(w.t.Context(), sql, args...).Scan(&n))
	return n
}

func (w world) blobs() []string {
	w.t.Helper()
	keys, err := w.Blobs.List(w.t.Context(), "")
	require.NoError(w.t, err)
	return keys
}

// nothing checks that neither a version nor a byte of content is there.
func (w world) nothing() {
	w.t.Helper()
	require.Zero(w.t, w.count(`SELECT (SELECT count(*) FROM courses.versions) + (SELECT count(*) FROM courses.files)`))
	require.Empty(w.t, w.blobs())
}

func facts(code string) Facts {
	return Facts{
		Code: code, Title: "Safe Sleep", Summary: "How to put a baby down.", Sponsor: "Office of Childhood", Topics: []string{"Health", "Safety"},
		SafeSleep: true, Approval: Approval{Number: "A-1", Hours: 5, From: on("2026-01-01"), Approver: "DESE"},
	}
}

func (w world) publishNew(code string, raw []byte) (lms.VersionID, error) {
	return w.Publish(w.t.Context(), w.author, PublishRequest{Facts: facts(code), Name: "p.zip", Package: bytes.NewReader(raw), Size: int64(len(raw))}, noon)
}

func (w world) state(v lms.VersionID) VersionState {
	w.t.Helper()
	version, err := selectVersion(w.t.Context(), w.DB, v)
	require.NoError(w.t, err)
	return version.State
}

func (w world) read(key string) []byte {
	w.t.Helper()
	r, err := w.Blobs.Get(w.t.Context(), key, 0, -1)
	require.NoError(w.t, err)
	raw, err := io.ReadAll(r)
	require.NoError(w.t, err)
	require.NoError(w.t, r.Close())
	return raw
}

func (w world) course(code string, day lms.Date) (c lms.Course, err error) {
	err = pg.InTx(w.t.Context(), w.DB, func(tx pgx.Tx) error {
		c, err = w.Course(w.t.Context(), tx, code, day)
		return err
	})
	return c, err
}

func TestAPublishedPackageIsServedByteForByte(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	big := packagestest.File{Name: "a b/vidéo.mp4", Body: string(bytes.Repeat([]byte("0123456789abcdef"), 1<<16))}
	raw := packagestest.Course("Safe Sleep", big, packagestest.File{Name: "empty.txt"})
	v, err := w.publishNew("SSL-100", raw)
	require.NoError(t, err)

	course, err := w.course("SSL-100", lms.DateOf(noon))
	require.NoError(t, err)
	require.Equal(t, v, course.Version)
	require.True(t, course.OpenForRegistration())
	require.Equal(t, lms.Hours(5), course.Hours)
	require.Equal(t, []string{"Health", "Safety"}, course.Topics)

	require.NoError(t, pg.InTx(t.Context(), w.DB, func(tx pgx.Tx) error {
		content, err := w.Content(t.Context(), tx, v)
		require.Equal(t, lms.Content{Version: v, Course: course.ID, Title: "Safe Sleep", Standard: lms.SCORM12, Launch: "index.html", Activity: "item_1"}, content)
		return err
	}))
	f, err := w.File(t.Context(), v, "a b/vidéo.mp4")
	require.NoError(t, err)
	require.Equal(t, "video/mp4", f.ContentType)
	require.Equal(t, []byte(big.Body), w.read(blob.Key(f.SHA256)))
	f, err = w.File(t.Context(), v, "INDEX.html")
	require.NoError(t, err, "letter case does not matter where it is clear what is meant")
	require.Equal(t, "index.html", f.Path)
	_, err = w.File(t.Context(), v, "gone.html")
	require.ErrorIs(t, err, lms.ErrNotFound)

	version, err := selectVersion(t.Context(), w.DB, v)
	require.NoError(t, err)
	require.Equal(t, raw, w.read(blob.Key(version.PackageSHA256)))
	require.Equal(t, 6, version.FileCount)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.audit WHERE action = 'version_published'`))
}

func TestPublishingTheSamePackageAgainChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, err := w.publishNew("SSL-100", packagestest.Course("one"))
	require.NoError(t, err)
	before := w.blobs()
	again, err := w.publishNew("SSL-100", packagestest.Course("one"))
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Equal(t, before, w.blobs())
	require.Equal(t, 1, w.count(`SELECT count(*) FROM courses.approvals`))
}

func TestANewVersionRetiresTheOldOneWhoseFilesStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, err := w.publishNew("SSL-100", packagestest.Course("one"))
	require.NoError(t, err)
	second, err := w.publishNew("SSL-100", packagestest.Course("two"))
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	require.Equal(t, Retired, w.state(first))
	require.Equal(t, Published, w.state(second))
	f, err := w.File(t.Context(), first, "name.txt")
	require.NoError(t, err)
	require.Equal(t, "one", string(w.read(blob.Key(f.SHA256))))

	require.NoError(t, w.Retire(t.Context(), w.author, second, noon))
	require.ErrorIs(t, w.Retire(t.Context(), w.author, second, noon), ErrAlreadyRetired)
	course, err := w.course("SSL-100", lms.DateOf(noon))
	require.NoError(t, err)
	require.False(t, course.OpenForRegistration())
	require.NoError(t, w.PublishVersion(t.Context(), w.author, first, 0, noon), "an older version can come back")
	require.Equal(t, Published, w.state(first))
}

func TestARefusedPackageLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sound := packagestest.Course("x")
	for name, raw := range map[string][]byte{
		"no zip":      []byte("no zip"),
		"no manifest": packagestest.ZIP(packagestest.File{Name: "index.html"}),
		"evil path":   packagestest.Course("x", packagestest.File{Name: "../evil"}),
		"cut off":     sound[:len(sound)-40],
	} {
		_, err := w.publishNew("SSL-100", raw)
		e, ok := lms.AsError(err)
		require.True(t, ok, name)
		require.Contains(t, e.Code, "package_", name)
		w.nothing()
		require.Zero(t, w.count(`SELECT count(*) FROM courses.courses`))
	}
	broken := facts("NO GOOD")
	_, err := w.Publish(t.Context(), w.author, PublishRequest{Facts: broken, Package: bytes.NewReader(sound), Size: int64(len(sound))}, noon)
	require.ErrorIs(t, err, lms.ErrForm)
	w.nothing()
}

func TestPublishingNeedsAnApproval(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	raw := packagestest.Course("x")
	f := facts("SSL-100")
	publish := func(a Approval) error {
		f.Approval = a
		_, err := w.Publish(t.Context(), w.author, PublishRequest{Facts: f, Package: bytes.NewReader(raw), Size: int64(len(raw))}, noon)
		return err
	}
	require.ErrorIs(t, publish(Approval{}), ErrNoApproval)
	over := Approval{Number: "A-1", Hours: 4, From: on("2025-01-01"), Until: on("2026-11-20"), Approver: "DESE"}
	require.ErrorIs(t, publish(over), ErrNoApproval)
	later := Approval{Number: "A-2", Hours: 4, From: on("2026-12-01"), Approver: "DESE"}
	require.NoError(t, publish(later))

	course, err := w.course("SSL-100", on("2026-11-30"))
	require.NoError(t, err)
	require.False(t, course.OpenForRegistration(), "the approval begins later")
	course, err = w.course("SSL-100", on("2026-12-01"))
	require.NoError(t, err)
	require.True(t, course.OpenForRegistration())
}

func TestACorrectedApprovalCountsAndTheOldOneStaysOnRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := facts("SSL-100")
	_, err := w.AddCourse(t.Context(), w.author, f, noon)
	require.NoError(t, err)
	f.Approval.Hours = 6
	require.NoError(t, w.EditCourse(t.Context(), w.author, f, noon.Add(time.Hour)))
	require.NoError(t, w.EditCourse(t.Context(), w.author, f, noon.Add(2*time.Hour)))
	course, err := w.course("SSL-100", lms.DateOf(noon))
	require.NoError(t, err)
	require.Equal(t, lms.Hours(6), course.Hours)
	require.Equal(t, 2, w.count(`SELECT count(*) FROM courses.approvals`))
	require.False(t, course.OpenForRegistration(), "there is no version yet")

	_, err = w.AddCourse(t.Context(), w.author, f, noon)
	require.ErrorIs(t, err, ErrCodeTaken)
	f.Code = "GONE-1"
	require.ErrorIs(t, w.EditCourse(t.Context(), w.author, f, noon), lms.ErrNotFound)
}

// inForce are the numbers of a course's approvals in force on a day.
func (w world) inForce(id lms.CourseID, day string) []string {
	w.t.Helper()
	numbers, err := pg.Values[string](w.t.Context(), w.DB, "approvals", `
		SELECT number FROM courses.current_approvals
		WHERE course = $1 AND valid_from <= $2 AND (valid_until IS NULL OR valid_until > $2)`, id, on(day))
	require.NoError(w.t, err)
	return numbers
}

func TestAnApprovalOfAnotherNumberTakesThePlaceOfTheFormer(t *testing.T) {
	t.Parallel()
	const yesterday, today, newYear = "2026-11-19", "2026-11-20", "2027-01-01"
	a := func(number, from, until string) Approval {
		a := Approval{Number: number, Hours: 4, From: on(from), Approver: "DESE"}
		if until != "" {
			a.Until = on(until)
		}
		return a
	}
	type days map[string][]string
	w := newWorld(t)
	for name, c := range map[string]struct {
		said []Approval
		want days
	}{
		"a mistyped number": {[]Approval{a("A-71", "2026-01-01", ""), a("A-17", "2026-01-01", "")},
			days{yesterday: {"A-17", "A-71"}, today: {"A-17"}, newYear: {"A-17"}}},
		"mistyped, and begins today": {[]Approval{a("A-71", today, ""), a("A-17", today, "")},
			days{yesterday: nil, today: {"A-17"}}},
		"mistyped, and begins later": {[]Approval{a("A-71", newYear, ""), a("A-17", newYear, "")},
			days{today: nil, newYear: {"A-17"}}},
		"mistyped, and would begin later": {[]Approval{a("A-71", newYear, ""), a("A-17", "2026-01-01", "")},
			days{today: {"A-17"}, newYear: {"A-17"}}},
		"the next one": {[]Approval{a("A-1", "2026-01-01", ""), a("A-2", newYear, "")},
			days{today: {"A-1"}, "2026-12-31": {"A-1"}, newYear: {"A-2"}}},
		"the next one after one with an end": {[]Approval{a("A-1", "2026-01-01", "2026-12-01"), a("A-2", newYear, "")},
			days{today: {"A-1"}, "2026-12-31": nil, newYear: {"A-2"}}},
		"a correction before the next one": {[]Approval{a("A-1", "2026-01-01", newYear), a("A-2", newYear, ""), a("A-1", "2026-02-01", newYear)},
			days{today: {"A-1"}, newYear: {"A-2"}}},
		"there and back": {[]Approval{a("A-1", "2026-01-01", ""), a("A-2", "2026-01-01", ""), a("A-1", "2026-01-01", "")},
			days{today: {"A-1"}, newYear: {"A-1"}}},
	} {
		f := facts(fmt.Sprintf("C-%d", w.count(`SELECT count(*) FROM courses.courses`)))
		f.Approval = Approval{}
		id, err := w.AddCourse(t.Context(), w.author, f, noon)
		require.NoError(t, err)
		for _, f.Approval = range c.said {
			require.NoError(t, w.EditCourse(t.Context(), w.author, f, noon), name)
			latest, err := latestApproval(t.Context(), w.DB, id, "")
			require.NoError(t, err)
			require.Equal(t, f.Approval, latest, "%s: an author goes on from what was said last", name)
		}
		for day, want := range c.want {
			require.ElementsMatch(t, want, w.inForce(id, day), "%s, on %s", name, day)
		}
	}
}

func TestAWithdrawnApprovalLetsNothingBePublished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := facts("SSL-100")
	f.Approval.From = on("2027-01-01")
	id, err := w.AddCourse(t.Context(), w.author, f, noon)
	require.NoError(t, err)
	f.Approval.Number, f.Approval.From, f.Approval.Until = "A-2", on("2025-01-01"), on("2027-02-01")
	require.NoError(t, w.EditCourse(t.Context(), w.author, f, noon))
	for day, want := range map[string]bool{"2027-01-31": true, "2027-02-01": false} {
		approved, err := hasApproval(t.Context(), w.DB, id, on(day))
		require.NoError(t, err)
		require.Equal(t, want, approved, day)
	}
	f.Approval.Until = on("2026-06-01")
	require.NoError(t, w.EditCourse(t.Context(), w.author, f, noon))
	approved, err := hasApproval(t.Context(), w.DB, id, lms.DateOf(noon))
	require.NoError(t, err)
	require.False(t, approved, "the other one was to begin later, and never will")
}

func TestOfAuthorsWhoPublishAtOnceExactlyOneWins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.AddCourse(t.Context(), w.author, facts("SSL-100"), noon)
	require.NoError(t, err)
	drafts := []lms.VersionID{w.upload("SSL-100", packagestest.Course("one")), w.upload("SSL-100", packagestest.Course("two"))}

	const authors = 32
	results := make(chan error, authors)
	start := make(chan struct{})
	for i := range authors {
		go func() {
			<-start
			results <- w.PublishVersion(context.Background(), w.author, drafts[i%2], 0, noon)
		}()
	}
	close(start)
	won := 0
	for range authors {
		if err := <-results; err == nil {
			won++
		} else {
			require.ErrorIs(t, err, ErrAlreadyPublished)
		}
	}
	require.Equal(t, 1, won)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM courses.versions WHERE state = 'published'`))

	// The database guarantees it to whoever does not take the course's lock, and says the same.
	err = pg.InTx(t.Context(), w.DB, func(tx pgx.Tx) error {
		for _, v := range drafts {
			if err := updateVersionState(t.Context(), tx, v, Published, noon); err != nil {
				return err
			}
		}
		return nil
	})
	require.ErrorIs(t, err, ErrAlreadyPublished)
}

func TestWhatIsSaidAboutACourseIsCheckedFieldByField(t *testing.T) {
	t.Parallel()
	form := courseForm{Code: "new", Fee: "5.5", Number: "A", Hours: "1.3", From: "soon", Through: "2020-01-01", Topics: "Health, Safety,, Health"}
	got, err := form.facts()
	e, ok := lms.AsError(err)
	require.True(t, ok)
	var wrong []string
	for field, key := range e.Fields {
		wrong = append(wrong, field)
		require.Contains(t, key, "author.wrong.")
	}
	slices.Sort(wrong)
	require.Equal(t, []string{"approver", "code", "fee", "from", "hours", "sponsor", "title"}, wrong)
	require.Equal(t, []string{"Health", "Safety"}, got.Topics)

	form = courseForm{Code: " ssl-100 ", Title: "T", Sponsor: "S", Fee: "$5", Number: "A", Hours: "1.25", From: "2026-01-01", Through: "2026-12-31", Approver: "D"}
	got, err = form.facts()
	require.NoError(t, err)
	require.Equal(t, "SSL-100", got.Code)
	require.Equal(t, lms.Money(500), got.Fee)
	require.Equal(t, Approval{"A", 5, on("2026-01-01"), on("2027-01-01"), "D"}, got.Approval)
	form.Through = "2025-12-31"
	_, err = form.facts()
	e, _ = lms.AsError(err)
	require.Equal(t, map[string]string{"through": "author.wrong.until"}, e.Fields)
}
