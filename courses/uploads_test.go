package courses

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"mopd/courses/packages"
	"mopd/courses/packages/packagestest"
	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
)

// begin opens an upload and sends its chunks.
func (w world) begin(code string, raw []byte) UploadID {
	w.t.Helper()
	id, err := w.BeginUpload(w.t.Context(), w.author, code, `C:\courses\p.zip`, int64(len(raw)), noon)
	require.NoError(w.t, err)
	for n := 0; n*ChunkSize < len(raw); n++ {
		require.NoError(w.t, w.PutChunk(w.t.Context(), w.author, id, n, raw[n*ChunkSize:min(len(raw), (n+1)*ChunkSize)], noon))
	}
	return id
}

// upload takes a package through to its draft.
func (w world) upload(code string, raw []byte) lms.VersionID {
	w.t.Helper()
	id := w.begin(code, raw)
	require.NoError(w.t, w.FinishUpload(w.t.Context(), w.author, id, noon))
	require.NoError(w.t, w.ProcessUpload(w.t.Context(), id, noon))
	u := w.get(id)
	require.Equal(w.t, Done, u.State, u.Refusal)
	return u.Version
}

func (w world) get(id UploadID) Upload {
	w.t.Helper()
	u, err := w.Upload(w.t.Context(), w.author, id)
	require.NoError(w.t, err)
	return u
}

func newUploadWorld(t *testing.T) world {
	t.Helper()
	return newUploadWorldOn(t, lmstest.DB(t))
}

func newUploadWorldOn(t *testing.T, db *pgxpool.Pool) world {
	t.Helper()
	w := newWorldOn(t, db)
	_, err := w.AddCourse(t.Context(), w.author, facts("SSL-100"), noon)
	require.NoError(t, err)
	return w
}

// chunks counts those in the store.
func (w world) chunks() int {
	w.t.Helper()
	keys, err := w.Blobs.List(w.t.Context(), chunkPrefix)
	require.NoError(w.t, err)
	return len(keys)
}

// finished is an upload whose package has arrived.
func (w world) finished(raw []byte) UploadID {
	w.t.Helper()
	id := w.begin("SSL-100", raw)
	require.NoError(w.t, w.FinishUpload(w.t.Context(), w.author, id, noon))
	return id
}

// incompressible is content of a size that ZIP cannot make smaller.
func incompressible(n int) string {
	out, x := make([]byte, n), uint32(1)
	for i := range out {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		out[i] = byte(x)
	}
	return string(out)
}

func TestAnUploadOfSeveralChunksBecomesADraft(t *testing.T) {
	t.Parallel()
	w := newUploadWorld(t)
	raw := packagestest.Course("Safe Sleep", packagestest.File{Name: "video.mp4", Body: incompressible(ChunkSize + 1000)})
	require.Greater(t, len(raw), ChunkSize)
	id, err := w.BeginUpload(t.Context(), w.author, "SSL-100", "p.zip", int64(len(raw)), noon)
	require.NoError(t, err)
	require.ErrorIs(t, w.FinishUpload(t.Context(), w.author, id, noon), ErrUploadIncomplete)

	// In whatever order, and twice.
	for _, n := range []int{1, 0, 1} {
		require.NoError(t, w.PutChunk(t.Context(), w.author, id, n, raw[n*ChunkSize:min(len(raw), (n+1)*ChunkSize)], noon))
	}
	require.ElementsMatch(t, []int32{0, 1}, w.get(id).Received)
	require.ErrorIs(t, w.PutChunk(t.Context(), w.author, id, 2, []byte("x"), noon), ErrUploadChunk)
	require.ErrorIs(t, w.PutChunk(t.Context(), w.author, id, 0, []byte("x"), noon), ErrUploadChunk)

	require.NoError(t, w.FinishUpload(t.Context(), w.author, id, noon))
	require.NoError(t, w.FinishUpload(t.Context(), w.author, id, noon), "finishing twice does no harm")
	require.Equal(t, 1, w.count(`SELECT count(*) FROM river.river_job WHERE kind = 'courses.process_upload' AND queue = 'uploads'`))
	require.ErrorIs(t, w.PutChunk(t.Context(), w.author, id, 0, raw[:ChunkSize], noon), ErrUploadOver)

	require.NoError(t, w.ProcessUpload(t.Context(), id, noon))
	u := w.get(id)
	require.Equal(t, Done, u.State)
	require.Equal(t, StepReady, u.Step)
	require.Equal(t, Draft, w.state(u.Version))
	require.Zero(t, w.chunks(), "chunks go when the package is in")
	require.ErrorIs(t, w.CancelUpload(t.Context(), w.author, id, noon), ErrUploadTooLate)
}

func TestAnUploadIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	w := newUploadWorld(t)
	id := w.begin("SSL-100", packagestest.Course("x"))
	stranger := w.somebody("Ben", lms.Author)
	require.NoError(t, w.AddAuthor(t.Context(), w.author, "SSL-100", stranger.Viewer.Email, noon), "not even a co-author's")
	_, err := w.Upload(t.Context(), stranger, id)
	require.ErrorIs(t, err, lms.ErrNotFound)
	require.ErrorIs(t, w.PutChunk(t.Context(), stranger, id, 0, nil, noon), lms.ErrNotFound)
	require.ErrorIs(t, w.FinishUpload(t.Context(), stranger, id, noon), lms.ErrNotFound)
	require.ErrorIs(t, w.CancelUpload(t.Context(), stranger, id, noon), lms.ErrNotFound)
}

func TestARefusedUploadSaysWhyAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	w := newUploadWorld(t)
	raw := packagestest.Of(packagestest.ManifestOf("", packagestest.OneResource+packagestest.OneResource))
	id := w.begin("SSL-100", raw)
	require.NoError(t, w.FinishUpload(t.Context(), w.author, id, noon))
	require.NoError(t, w.ProcessUpload(t.Context(), id, noon))
	u := w.get(id)
	require.Equal(t, Refused, u.State)
	require.ErrorIs(t, u.Why(), packages.ErrLessons)
	require.Equal(t, map[string]any{"Count": 2}, u.Why().Args)
	w.nothing()
}

func TestRealPackagesUpload(t *testing.T) {
	t.Parallel()
	w := newUploadWorld(t)
	want := map[string]error{"built": nil, "built without a manifest": packages.ErrNoManifest}
	raws := map[string][]byte{
		"built":                    packagestest.Course("x"),
		"built without a manifest": packagestest.ZIP(packagestest.File{Name: "test.htm"}),
	}
	if dir := os.Getenv("MOPD_PACKAGES"); dir != "" {
		for name, err := range map[string]error{
			"golf-scorm12-runtime-basic.zip": nil, "odd-empty-organizations.zip": nil,
			"bad-manifest.zip": packages.ErrManifest, "bad-no-manifest.zip": packages.ErrNoManifest,
		} {
			raw, readErr := os.ReadFile(filepath.Join(dir, name))
			require.NoError(t, readErr)
			raws[name], want[name] = raw, err
		}
	}
	for name, raw := range raws {
		id := w.begin("SSL-100", raw)
		require.NoError(t, w.FinishUpload(t.Context(), w.author, id, noon))
		require.NoError(t, w.ProcessUpload(t.Context(), id, noon))
		if u := w.get(id); want[name] == nil {
			require.Equal(t, Done, u.State, "%s: %v", name, u.Refusal)
		} else {
			require.ErrorIs(t, u.Why(), want[name], name)
		}
	}
}

func TestAnUploadWhoseJobDiesAnywhereComesToOneDraft(t *testing.T) {
	t.Parallel()
	w := newUploadWorld(t)
	raw := packagestest.Course("x")
	died := errors.New("died")
	for _, dies := range []string{"before the version", "after the version", "while storing"} {
		id := w.begin("SSL-100", raw)
		require.NoError(t, w.FinishUpload(t.Context(), w.author, id, noon))
		before := w.count(`SELECT count(*) FROM courses.versions`)
		switch dies {
		case "before the version":
			require.NoError(t, w.step(t.Context(), w.get(id), StepStore, noon))
		case "while storing":
			p, err := packages.Read(t.Context(), bytes.NewReader(raw), int64(len(raw)), packages.Usual)
			require.NoError(t, err)
			sum, err := w.keep(t.Context(), p, bytes.NewReader(raw), int64(len(raw)), noon)
			require.NoError(t, err)
			err = pg.InTx(t.Context(), w.DB, func(tx pgx.Tx) error {
				_, err := insertVersion(t.Context(), tx, w.get(id).Course, p, sum, "p.zip", noon)
				return errors.Join(err, died)
			})
			require.ErrorIs(t, err, died)
		case "after the version":
			require.NoError(t, w.ingest(t.Context(), w.get(id), noon)) // the chunks are still there
		}
		for range 3 {
			require.NoError(t, w.ProcessUpload(t.Context(), id, noon))
		}
		require.Equal(t, Done, w.get(id).State, dies)
		require.Equal(t, before+1, w.count(`SELECT count(*) FROM courses.versions`), dies)
	}
	require.Zero(t, w.chunks())
}

func TestOfTwoRunsOfOneUploadOneWorks(t *testing.T) {
	t.Parallel()
	w := newUploadWorld(t)
	id := w.begin("SSL-100", packagestest.Course("x"))
	require.NoError(t, w.FinishUpload(t.Context(), w.author, id, noon))

	u, err := claimUpload(t.Context(), w.DB, id, time.Minute)
	require.NoError(t, err)
	require.NoError(t, w.ProcessUpload(t.Context(), id, noon), "another run has it")
	require.Equal(t, Processing, w.get(id).State)
	require.NoError(t, w.release(t.Context(), u))

	const runs = 8
	results := make(chan error, runs)
	for range runs {
		go func() { results <- w.ProcessUpload(t.Context(), id, noon) }()
	}
	for range runs {
		require.NoError(t, <-results)
	}
	require.Equal(t, Done, w.get(id).State)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM courses.versions`))
}

func TestARunThatIsNotHeardOfIsTakenOver(t *testing.T) {
	t.Parallel()
	w := newUploadWorld(t)
	id := w.finished(packagestest.Course("x"))
	silent, err := claimUpload(t.Context(), w.DB, id, -time.Second)
	require.NoError(t, err)
	next, err := claimUpload(t.Context(), w.DB, id, time.Minute)
	require.NoError(t, err)

	require.ErrorIs(t, w.step(t.Context(), silent, StepRead, noon), errTaken, "the silent run may not go on")
	err = w.whileHeld(t.Context(), silent, time.Millisecond, func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	require.ErrorIs(t, err, errTaken, "and is told so")
	require.NoError(t, w.release(t.Context(), silent))
	require.NoError(t, w.ProcessUpload(t.Context(), id, noon), "the next run still has it")
	require.Equal(t, Processing, w.get(id).State)
	require.Equal(t, 1, w.chunks())

	require.NoError(t, w.release(t.Context(), next))
	require.NoError(t, w.ProcessUpload(t.Context(), id, noon))
	require.Equal(t, Done, w.get(id).State)
}

func TestARunIsHeldForAsLongAsItWorks(t *testing.T) {
	t.Parallel()
	w := newUploadWorld(t)
	id := w.finished(packagestest.Course("x"))
	u, err := claimUpload(t.Context(), w.DB, id, -time.Second)
	require.NoError(t, err)
	held := func() bool {
		return w.count(`SELECT count(*) FROM courses.uploads WHERE id = $1 AND held_until > now()`, id) == 1
	}
	require.NoError(t, w.whileHeld(t.Context(), u, time.Millisecond, func(context.Context) error {
		require.Eventually(t, held, 10*time.Second, time.Millisecond)
		return nil
	}))
}

// Uploads must leave the pool to those who answer people and post credits.
func TestManyUploadsAtOnceShareOneConnection(t *testing.T) {
	t.Parallel()
	db, err := pg.Open(t.Context(), lmstest.DatabaseURL(t)+"&pool_max_conns=1")
	require.NoError(t, err)
	t.Cleanup(db.Close)
	w := newUploadWorldOn(t, db)
	ids := make([]UploadID, 4)
	for i := range ids {
		ids[i] = w.finished(packagestest.Course("x"))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	results := make(chan error, len(ids))
	for _, id := range ids {
		go func() { results <- w.ProcessUpload(ctx, id, noon) }()
	}
	for range ids {
		require.NoError(t, <-results)
	}
	for _, id := range ids {
		require.Equal(t, Done, w.get(id).State)
	}
}

// hiccup breaks the first statement that contains a text.
type hiccup struct {
	text string
	once sync.Once
}

func (h *hiccup) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if strings.Contains(q.SQL, h.text) {
		h.once.Do(func() {
			var cancel func()
			ctx, cancel = context.WithCancel(ctx)
			cancel()
		})
	}
	return ctx
}

func (*hiccup) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestADatabaseThatIsAwayForAMomentCostsNoUpload(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"run = u.run + 1", "FOR NO KEY UPDATE OF u", "SET state", "INSERT INTO courses.versions", "held_until = NULL"} {
		sound := newUploadWorld(t)
		id := sound.finished(packagestest.Course("x"))
		config := sound.DB.Config()
		config.ConnConfig.Tracer = &hiccup{text: text}
		db, err := pgxpool.NewWithConfig(t.Context(), config)
		require.NoError(t, err)
		t.Cleanup(db.Close)
		w := sound
		d := sound.Dependencies
		d.DB = db
		w.Service = New(d)

		require.ErrorIs(t, w.ProcessUpload(t.Context(), id, noon), context.Canceled, text)
		if sound.get(id).State == Processing {
			require.Equal(t, 1, w.chunks(), text)
		}
		require.NoError(t, sound.release(t.Context(), sound.get(id)))
		require.NoError(t, sound.ProcessUpload(t.Context(), id, noon), text)
		require.Equal(t, Done, sound.get(id).State, text)
	}
}

func TestAPackageBeingReadHasNoNameToLeaveBehind(t *testing.T) {
	t.Parallel()
	f, err := scratchFile()
	require.NoError(t, err)
	_, err = os.Stat(f.Name())
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = f.WriteString("it can still be written")
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func TestACancelledUploadLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	w := newUploadWorld(t)
	raw := packagestest.Course("x")
	id := w.begin("SSL-100", raw)
	require.NoError(t, w.CancelUpload(t.Context(), w.author, id, noon))
	require.NoError(t, w.CancelUpload(t.Context(), w.author, id, noon), "twice does no harm")
	require.ErrorIs(t, w.FinishUpload(t.Context(), w.author, id, noon), ErrUploadOver)
	w.nothing()

	// Cancelled while its job runs: the job ends at its next step.
	id = w.begin("SSL-100", raw)
	require.NoError(t, w.FinishUpload(t.Context(), w.author, id, noon))
	u := w.get(id)
	require.NoError(t, w.CancelUpload(t.Context(), w.author, id, noon))
	require.ErrorIs(t, w.ingest(t.Context(), u, noon), errOver)
	require.NoError(t, w.ProcessUpload(t.Context(), id, noon))
	w.nothing()

	// Too late: the version comes.
	id = w.begin("SSL-100", raw)
	require.NoError(t, w.FinishUpload(t.Context(), w.author, id, noon))
	require.NoError(t, w.step(t.Context(), w.get(id), StepStore, noon))
	require.ErrorIs(t, w.CancelUpload(t.Context(), w.author, id, noon), ErrUploadTooLate)
}

func TestTheSweepGivesUpWhatIsAbandonedAndPicksUpWhatIsInterrupted(t *testing.T) {
	t.Parallel()
	w := newUploadWorld(t)
	raw := packagestest.Course("x")
	abandoned := w.begin("SSL-100", raw)
	interrupted := w.begin("SSL-100", raw)
	require.NoError(t, w.FinishUpload(t.Context(), w.author, interrupted, noon))
	require.NoError(t, w.Blobs.Put(t.Context(), chunkPrefix+"999999/0", bytes.NewReader([]byte("x")), 1))
	jobsOf := func() int {
		return w.count(`SELECT count(*) FROM river.river_job WHERE kind = 'courses.process_upload'`)
	}

	require.NoError(t, w.SweepUploads(t.Context(), noon.Add(time.Hour)))
	require.Equal(t, 1, jobsOf(), "it waits for its turn")
	require.Equal(t, 2, w.chunks(), "the chunk of no upload is gone")
	u, err := claimUpload(t.Context(), w.DB, interrupted, time.Minute)
	require.NoError(t, err)
	require.NoError(t, w.SweepUploads(t.Context(), noon.Add(time.Hour)))
	require.Equal(t, 1, jobsOf(), "a run has it")

	require.NoError(t, holdUpload(t.Context(), w.DB, u, -time.Second))
	for range 2 {
		require.NoError(t, w.SweepUploads(t.Context(), noon.Add(time.Hour)))
		require.Equal(t, 2, jobsOf(), "its run is not heard of any more; it is picked up once")
	}
	require.Equal(t, Receiving, w.get(abandoned).State)

	require.NoError(t, w.ProcessUpload(t.Context(), interrupted, noon.Add(2*time.Minute)))
	require.NoError(t, w.SweepUploads(t.Context(), noon.Add(25*time.Hour)))
	require.Equal(t, Cancelled, w.get(abandoned).State)
	require.Equal(t, Done, w.get(interrupted).State)
	require.Zero(t, w.chunks())

	failing := w.begin("SSL-100", raw)
	require.NoError(t, w.FinishUpload(t.Context(), w.author, failing, noon))
	require.NoError(t, w.SweepUploads(t.Context(), noon.Add(25*time.Hour)))
	require.Equal(t, "upload_failed", w.get(failing).Refusal)
}

func TestAnUploadThatCannotFitIsRefusedBeforeItBegins(t *testing.T) {
	t.Parallel()
	w := newUploadWorld(t)
	_, err := w.BeginUpload(t.Context(), w.author, "SSL-100", "p.zip", 0, noon)
	require.ErrorIs(t, err, ErrUploadEmpty)
	_, err = w.BeginUpload(t.Context(), w.author, "SSL-100", "p.zip", packages.Usual.Package+1, noon)
	require.ErrorIs(t, err, packages.ErrTooLarge)
	_, err = w.BeginUpload(t.Context(), w.author, "GONE-1", "p.zip", 1, noon)
	require.ErrorIs(t, err, lms.ErrNotFound)
}
