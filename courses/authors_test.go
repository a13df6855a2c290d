package courses

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/courses/packages/packagestest"
	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
)

// authors are a course's, by first name.
func (w world) authors(code string) (names []string) {
	w.t.Helper()
	c, err := w.course(code, lms.DateOf(noon))
	require.NoError(w.t, err)
	list, err := selectAuthors(w.t.Context(), w.DB, c.ID)
	require.NoError(w.t, err)
	for _, a := range list {
		names = append(names, a.Given)
	}
	return names
}

// everything is what authors can change.
func (w world) everything() (rows string) {
	w.t.Helper()
	require.NoError(w.t, w.DB.QueryRow(w.t.Context(), `SELECT concat_ws(' ', (SELECT string_agg(c::text, ' ' ORDER BY id) FROM courses.courses c),
		(SELECT string_agg(v::text, ' ' ORDER BY id) FROM courses.versions v), (SELECT string_agg(u::text, ' ' ORDER BY id) FROM courses.uploads u),
		(SELECT string_agg(a::text, ' ' ORDER BY a) FROM courses.authors a), (SELECT count(*) FROM courses.approvals), (SELECT count(*) FROM accounts.audit))`).Scan(&rows))
	return rows
}

// attempts are all that can be done to a course, with its draft, its published version
// and an upload that arrives.
func (w world) attempts(actor Actor, code string, draft, published lms.VersionID, upload UploadID) map[string]error {
	ctx, errs := w.t.Context(), map[string]error{}
	edited := facts(code)
	edited.Title = "Edited"
	errs["edit"] = w.EditCourse(ctx, actor, edited, noon)
	_, errs["upload"] = w.BeginUpload(ctx, actor, code, "p.zip", 10, noon)
	_, errs["see an upload"] = w.Upload(ctx, actor, upload)
	errs["send a chunk"] = w.PutChunk(ctx, actor, upload, 0, []byte("x"), noon)
	errs["finish an upload"] = w.FinishUpload(ctx, actor, upload, noon)
	errs["cancel an upload"] = w.CancelUpload(ctx, actor, upload, noon)
	errs["publish"] = w.PublishVersion(ctx, actor, draft, published, noon)
	errs["retire"] = w.Retire(ctx, actor, draft, noon)
	errs["add an author"] = w.AddAuthor(ctx, actor, code, w.author.Viewer.Email, noon)
	errs["remove an author"] = w.RemoveAuthor(ctx, actor, code, w.author.Viewer.ID, noon)
	return errs
}

func TestACourseIsNotThereForWhomItDoesNotBelongTo(t *testing.T) {
	t.Parallel()
	w := newUploadWorld(t)
	published := w.upload("SSL-100", packagestest.Course("one"))
	require.NoError(t, w.PublishVersion(t.Context(), w.author, published, 0, noon))
	draft, upload := w.upload("SSL-100", packagestest.Course("two")), w.begin("SSL-100", packagestest.Course("three"))
	before := w.everything()

	former := *w.author.Viewer
	former.Roles = nil
	half := *w.author.Viewer
	half.Stage = lms.Identified
	for who, actor := range map[string]Actor{
		"another author": w.somebody("Ben", lms.Author), "a registrar": w.somebody("Ruth", lms.Registrar), "nobody": {},
		"an author who lost the role": {Viewer: &former}, "an author without a second factor": {Viewer: &half},
	} {
		for what, err := range w.attempts(actor, "SSL-100", draft, published, upload) {
			require.ErrorIs(t, err, lms.ErrNotFound, "%s: %s", who, what)
		}
		for what, err := range w.attempts(actor, "GONE-1", 1<<40, 1<<40, 1<<40) {
			require.ErrorIs(t, err, lms.ErrNotFound, "%s: %s", who, what)
		}
		raw := packagestest.Course("four")
		_, err := w.Publish(t.Context(), actor, PublishRequest{Facts: facts("SSL-100"), Package: bytes.NewReader(raw), Size: int64(len(raw))}, noon)
		if actor.may() {
			require.ErrorIs(t, err, ErrCodeTaken, who)
			continue
		}
		require.ErrorIs(t, err, lms.ErrForbidden, who)
		_, err = w.AddCourse(t.Context(), actor, facts("NEW-1"), noon)
		require.ErrorIs(t, err, lms.ErrForbidden, who)
	}
	require.Equal(t, before, w.everything())
}

func TestAdministratorsCoAuthorsAndTheSystemMayDoEverythingWithACourse(t *testing.T) {
	t.Parallel()
	for who, actorOf := range map[string]func(world) Actor{
		"administrator": func(w world) Actor { return w.somebody("Sam", lms.Administrator) },
		"co-author": func(w world) Actor {
			ben := w.somebody("Ben", lms.Author)
			require.NoError(w.t, w.AddAuthor(w.t.Context(), w.author, "SSL-100", ben.Viewer.Email, noon))
			return ben
		},
		"system": func(world) Actor { return System },
	} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			w := newUploadWorld(t)
			published := w.upload("SSL-100", packagestest.Course("one"))
			require.NoError(t, w.PublishVersion(t.Context(), w.author, published, 0, noon))
			draft := w.upload("SSL-100", packagestest.Course("two"))
			cleo := w.somebody("Cleo", lms.Author)

			them := w
			them.author = actorOf(w)
			edited := facts("SSL-100")
			edited.Title = "Edited"
			require.NoError(t, w.EditCourse(t.Context(), them.author, edited, noon))
			require.NoError(t, w.PublishVersion(t.Context(), them.author, draft, published, noon))
			require.NoError(t, w.Retire(t.Context(), them.author, draft, noon))
			if them.author.Viewer != nil { // an upload is a person's
				require.Equal(t, Draft, w.state(them.upload("SSL-100", packagestest.Course("three"))))
			}
			require.NoError(t, w.AddAuthor(t.Context(), them.author, "ssl-100", cleo.Viewer.Email, noon))
			require.NoError(t, w.RemoveAuthor(t.Context(), them.author, "SSL-100", w.author.Viewer.ID, noon))
			require.Contains(t, w.authors("SSL-100"), "Cleo")
			require.ErrorIs(t, w.EditCourse(t.Context(), w.author, edited, noon), lms.ErrNotFound, "who is removed is out at once")
		})
	}
}

func TestAnUploadThatIsUnderWayIsLostToAnAuthorWhoIsRemoved(t *testing.T) {
	t.Parallel()
	w := newUploadWorld(t)
	id := w.begin("SSL-100", packagestest.Course("x"))
	ben := w.somebody("Ben", lms.Author)
	require.NoError(t, w.AddAuthor(t.Context(), w.author, "SSL-100", ben.Viewer.Email, noon))
	require.NoError(t, w.RemoveAuthor(t.Context(), ben, "SSL-100", w.author.Viewer.ID, noon))
	require.ErrorIs(t, w.FinishUpload(t.Context(), w.author, id, noon), lms.ErrNotFound)
	require.Zero(t, w.count(`SELECT count(*) FROM courses.versions`))
}

func TestWhoAddsACourseIsItsAuthorAndTheSystemNamesOne(t *testing.T) {
	t.Parallel()
	w := newUploadWorld(t)
	require.Equal(t, []string{"Ana"}, w.authors("SSL-100"))
	_, err := w.AddCourse(t.Context(), System, facts("SYS-1"), noon)
	require.NoError(t, err)
	require.Empty(t, w.authors("SYS-1"))

	raw := packagestest.Course("x")
	publish := func(actor Actor, code, author string) error {
		_, err := w.Publish(t.Context(), actor, PublishRequest{Facts: facts(code), Package: bytes.NewReader(raw), Size: int64(len(raw)), Author: author}, noon)
		return err
	}
	require.ErrorIs(t, publish(System, "SYS-2", "gone@example.org"), ErrNoSuchAuthor)
	require.Zero(t, w.count(`SELECT count(*) FROM courses.courses WHERE code = 'SYS-2'`))
	for _, code := range []string{"SYS-1", "SYS-2"} {
		require.NoError(t, publish(System, code, w.author.Viewer.Email))
		require.Equal(t, []string{"Ana"}, w.authors(code))
	}
	sam := w.somebody("Sam", lms.Administrator)
	require.NoError(t, publish(sam, "SYS-1", ""))
	require.Equal(t, []string{"Ana"}, w.authors("SYS-1"), "who edits does not become an author")
	require.NoError(t, publish(sam, "SAM-1", ""))
	require.Equal(t, []string{"Sam"}, w.authors("SAM-1"))
}

func TestAuthorsComeAndGoOnRecord(t *testing.T) {
	t.Parallel()
	w := newUploadWorld(t)
	ben, carla := w.somebody("Ben", lms.Author), w.somebody("Carla")
	require.ErrorIs(t, w.AddAuthor(t.Context(), w.author, "SSL-100", carla.Viewer.Email, noon), ErrNoSuchAuthor)
	for range 2 {
		require.NoError(t, w.AddAuthor(t.Context(), w.author, "SSL-100", ben.Viewer.Email, noon))
	}
	require.ElementsMatch(t, []string{"Ana", "Ben"}, w.authors("SSL-100"))
	require.ErrorIs(t, w.RemoveAuthor(t.Context(), ben, "SSL-100", carla.Viewer.ID, noon), lms.ErrNotFound)
	require.NoError(t, w.RemoveAuthor(t.Context(), ben, "SSL-100", w.author.Viewer.ID, noon))
	require.ErrorIs(t, w.RemoveAuthor(t.Context(), ben, "SSL-100", ben.Viewer.ID, noon), ErrLastAuthor)
	require.ErrorIs(t, w.RemoveAuthor(t.Context(), System, "SSL-100", ben.Viewer.ID, noon), ErrLastAuthor)

	rows, err := pg.Values[string](t.Context(), w.DB, "trail", `SELECT concat_ws(' ', action, actor, subject, origin) FROM accounts.audit
		WHERE action LIKE 'author%' ORDER BY id`)
	require.NoError(t, err)
	ana := w.author.Viewer.ID
	require.Equal(t, []string{
		fmt.Sprintf("author_added %d %d 192.0.2.1", ana, ana),
		fmt.Sprintf("author_added %d %d 192.0.2.1", ana, ben.Viewer.ID),
		fmt.Sprintf("author_removed %d %d 192.0.2.1", ben.Viewer.ID, ana),
	}, rows)
}

func TestHoweverAuthorsLeaveOneStays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		authors := rapid.SliceOfNDistinct(rapid.Int64Range(1, 9), 1, 9, rapid.ID).Draw(t, "authors")
		left := map[lms.PersonID]bool{}
		for _, a := range authors {
			left[lms.PersonID(a)] = true
		}
		for _, leaves := range rapid.SliceOf(rapid.Int64Range(1, 9)).Draw(t, "leave") {
			var now []lms.PersonID
			for a := range left {
				now = append(now, a)
			}
			p := lms.PersonID(leaves)
			switch err := canLeave(now, p); {
			case !left[p]:
				require.ErrorIs(t, err, lms.ErrNotFound)
			case len(left) == 1:
				require.ErrorIs(t, err, ErrLastAuthor)
			default:
				require.NoError(t, err)
				delete(left, p)
			}
		}
		require.NotEmpty(t, left)
	})
}

func TestOfAuthorsWhoRemoveEachOtherOneStays(t *testing.T) {
	w := newUploadWorld(t)
	ben := w.somebody("Ben", lms.Author)
	require.NoError(t, w.AddAuthor(t.Context(), w.author, "SSL-100", ben.Viewer.Email, noon))
	pair := []Actor{w.author, ben}
	lmstest.OneWins(t, w.DB, lms.ErrNotFound, func(i int) error {
		return w.RemoveAuthor(t.Context(), pair[i%2], "SSL-100", pair[(i+1)%2].Viewer.ID, noon)
	})
	require.Len(t, w.authors("SSL-100"), 1)
}

func TestTheDatabaseAloneKeepsAnAuthor(t *testing.T) {
	w := newWorld(t)
	course, err := w.AddCourse(t.Context(), System, facts("SSL-100"), noon)
	require.NoError(t, err)
	crowd := make([]Actor, lmstest.Racers)
	for i := range crowd {
		crowd[i] = w.somebody("Racer", lms.Author)
		require.NoError(t, w.AddAuthor(t.Context(), System, "SSL-100", crowd[i].Viewer.Email, noon))
	}
	stayed := 0
	for _, err := range lmstest.Race(t, w.DB, func(i int) error {
		return guards.Explain(pg.InTx(t.Context(), w.DB, func(tx pgx.Tx) error { return deleteAuthor(t.Context(), tx, course, crowd[i].Viewer.ID) }))
	}) {
		if err != nil {
			require.ErrorIs(t, err, ErrLastAuthor)
			stayed++
		}
	}
	require.Equal(t, 1, stayed)
	require.Len(t, w.authors("SSL-100"), 1)
}

// filled is a route's address for a course, a version of it, an upload and an author.
func filled(path, code string, version lms.VersionID, upload UploadID, author lms.PersonID) string {
	number := fmt.Sprint(version)
	if strings.HasPrefix(path, "/author/uploads/") {
		number = fmt.Sprint(upload)
	}
	return strings.NewReplacer(":code", code, ":id", number, ":n", "0", ":person", fmt.Sprint(author)).Replace(path)
}

func TestEveryAuthorsRouteAnswersAStrangerAsIfTheCourseWereNotThere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	published, err := s.publishNew("SSL-100", packagestest.Course("one"))
	require.NoError(t, err)
	draft, upload := s.upload("SSL-100", packagestest.Course("two")), s.begin("SSL-100", packagestest.Course("three"))
	b := s.as("other", "en")
	require.NotContains(t, b.get("/author"), "SSL-100")
	before := s.everything()

	tried := 0
	for _, r := range s.routes {
		if r.Action != lms.Publish || !strings.Contains(r.Path, ":") {
			continue
		}
		tried++
		for _, v := range []lms.VersionID{draft, published} {
			ask := func(path string) (int, string) {
				contentType, body := "application/x-www-form-urlencoded", url.Values{"title": {"Mine"}, "who": {s.other.Viewer.Email}, "replaces": {fmt.Sprint(published)}}.Encode()
				if strings.HasSuffix(r.Path, "/uploads") {
					contentType, body = "application/json", `{"filename": "p.zip", "size": 10}`
				}
				status, answer, _ := b.do(r.Method, path, contentType, "application/json", strings.NewReader(body))
				return status, answer
			}
			status, answer := ask(filled(r.Path, "SSL-100", v, upload, s.author.Viewer.ID))
			require.Equal(t, http.StatusNotFound, status, "%s %s: %s", r.Method, r.Path, answer)
			_, gone := ask(filled(r.Path, "GONE-1", 1<<40, 1<<40, s.author.Viewer.ID))
			require.Equal(t, gone, answer, "%s %s", r.Method, r.Path)
		}
	}
	require.GreaterOrEqual(t, tried, 15)
	require.Equal(t, before, s.everything())
	require.Contains(t, b.get("/courses/SSL-100"), "Safe Sleep", "the catalog is everybody's")
}

func TestAnAdministratorAndACoAuthorUseEveryPageOfACourse(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"admin", "other"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			published, err := s.publishNew("SSL-100", packagestest.Course("one"))
			require.NoError(t, err)
			if who == "other" {
				require.NoError(t, s.AddAuthor(t.Context(), s.author, "SSL-100", s.other.Viewer.Email, noon))
			}
			draft := s.upload("SSL-100", packagestest.Course("two"))
			b := s.as(who, "en")
			require.Contains(t, b.get("/author"), "/author/courses/SSL-100")
			for _, path := range []string{"/author/courses/ssl-100", "/author/courses/SSL-100/edit", fmt.Sprintf("/author/versions/%d/publish", draft), fmt.Sprintf("/author/versions/%d/retire", draft)} {
				b.get(path)
			}
			_, body, to := b.post("/author/courses/SSL-100/edit", url.Values{"title": {"Safer Sleep"}, "sponsor": {"DESE"}})
			require.Equal(t, "/author/courses/SSL-100?notice=course_saved", to, body)
			var begun struct{ ID UploadID }
			status, body := b.json(http.MethodPost, "/author/courses/SSL-100/uploads", map[string]any{"filename": "p.zip", "size": 3}, &begun)
			require.Equal(t, http.StatusCreated, status, body)
			upload := fmt.Sprintf("/author/uploads/%d", begun.ID)
			status, body, _ = b.do(http.MethodPut, upload+"/chunks/0", "application/octet-stream", "application/json", strings.NewReader("zip"))
			require.Equal(t, http.StatusNoContent, status, body)
			for _, do := range []string{"/finish", "/cancel"} {
				status, body = b.json(http.MethodPost, upload+do, struct{}{}, nil)
				require.Equal(t, http.StatusOK, status, body)
			}
			_, body, to = b.post(fmt.Sprintf("/author/versions/%d/publish", draft), url.Values{"replaces": {fmt.Sprint(published)}})
			require.Equal(t, "/author/courses/SSL-100?notice=version_published", to, body)
			_, body, to = b.post(fmt.Sprintf("/author/versions/%d/retire", draft), nil)
			require.Equal(t, "/author/courses/SSL-100?notice=version_retired", to, body)
		})
	}
}

func TestAnAuthorSharesACourseOnItsPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, err := s.AddCourse(t.Context(), s.author, facts("SSL-100"), noon)
	require.NoError(t, err)
	b := s.as("author", "en")
	page := b.get("/author/courses/SSL-100")
	require.Contains(t, page, s.author.Viewer.Name())
	require.NotContains(t, page, "/remove", "one author stays")

	status, page, _ := b.post("/author/courses/ssl-100/authors", url.Values{"who": {"<gone>"}})
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, page, `<a class="usa-link" href="#who">`)
	require.Contains(t, page, `value="&lt;gone&gt;"`, "what was typed is kept")
	_, page, to := b.post("/author/courses/ssl-100/authors", url.Values{"who": {s.other.Viewer.Email}})
	require.Equal(t, "/author/courses/SSL-100?notice=author_added", to, page)
	require.Contains(t, b.get(to), s.other.Viewer.Name())
	require.Contains(t, s.as("other", "es").get("/author"), "SSL-100")

	remove := func(b *browser, p Actor) string {
		_, body, to := b.post(fmt.Sprintf("/author/courses/SSL-100/authors/%d/remove", p.Viewer.ID), nil)
		require.NotEmpty(t, to, body)
		return b.get(to)
	}
	require.Contains(t, remove(b, s.other), "The author is removed")
	require.NotContains(t, s.as("other", "en").get("/author"), "SSL-100")
	require.NoError(t, s.AddAuthor(t.Context(), s.author, "SSL-100", s.other.Viewer.Email, noon))
	require.Contains(t, remove(b, s.author), "You are no longer an author")
	other := s.as("other", "en")
	other.get("/author")
	status, page, _ = other.post(fmt.Sprintf("/author/courses/SSL-100/authors/%d/remove", s.other.Viewer.ID), nil)
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, page, "the only author")
}

func TestAnAdministratorSeesAllCoursesAndWhoseTheyAre(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, err := s.AddCourse(t.Context(), s.author, facts("SSL-100"), noon)
	_, err2 := s.AddCourse(t.Context(), System, facts("SYS-1"), noon)
	require.NoError(t, errors.Join(err, err2))
	admin := s.as("admin", "en")
	list := admin.get("/author")
	require.Contains(t, list, s.author.Viewer.Name())
	require.Contains(t, list, "/author/courses/SYS-1")
	require.Contains(t, admin.get("/author/courses/SYS-1"), "has no author")
	author := s.as("author", "en").get("/author")
	require.Contains(t, author, "/author/courses/SSL-100")
	require.NotContains(t, author, "/author/courses/SYS-1")
}
