package app_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"mopd/cmd/internal/app"
	"mopd/cmd/internal/mailbox"
	"mopd/lms"
	"mopd/lms/accounts"
	"mopd/lms/lmstest"
	"mopd/lms/secrets"
	"mopd/lms/web"
	"mopd/payments/stripesim"
)

func TestMain(m *testing.M) { lmstest.Main(m) }

const password = "correct horse battery"

// box is the whole product in one process, on a database and a bucket of its own.
type box struct {
	*app.App
	testing.TB
	url    string
	clock  *clock
	mail   *mailbox.Mailbox
	stripe *stripesim.Sim
	said   *said
}

// said is everything that the product logged.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// clock runs like the real one, from wherever it is set to.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset = time.Until(t)
}

// The two arrangements of hosts: course content on another site than the
// application, and on a subdomain of the same site. Browsers treat them apart.
var (
	otherSite = hosts{app: "localhost", content: "localhost"}
	sameSite  = hosts{app: "learn.ce.localhost", content: "content.ce.localhost"}
)

type hosts struct{ app, content string }

// newBox boots the product: pages and jobs.
func newBox(t testing.TB) *box { return newBoxAt(t, otherSite, true) }

func newBoxAt(t testing.TB, h hosts, work bool) *box {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	store := lmstest.Store(t)
	caught, err := mailbox.Start(t.Context())
	require.NoError(t, err)
	t.Cleanup(caught.Stop)
	b := &box{TB: t, clock: &clock{}, mail: caught, said: &said{}}
	b.url = fmt.Sprintf("http://%s:%d", h.app, l.Addr().(*net.TCPAddr).Port)
	till := newTill(t, b.clock, nil)
	b.stripe = till.Sim
	log := slog.New(slog.NewMultiHandler(
		slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelWarn}),
		slog.NewTextHandler(b.said, nil)))
	b.App, err = app.New(t.Context(), app.Settings{
		Stores: app.Stores{DatabaseURL: lmstest.DatabaseURL(t), S3Endpoint: store.Endpoint, S3AccessKey: store.AccessKey, S3SecretKey: store.SecretKey, S3Bucket: store.Bucket},
		AppURL: b.url, ContentHost: h.content, SecretKey: strings.Repeat("k", 32), EmailCodes: true, DataKeys: []string{secrets.NewKey()},
		SMTPURL: caught.SMTPURL(), MailFrom: "Child Care Training <no-reply@example.org>", TextGatewayURL: caught.TextURL(), TextGatewayToken: caught.TextToken(),
		StripeKey: till.Key, StripeURL: till.URL, CheckoutOrigin: till.URL, StripeSecrets: []string{till.Endpoint(b.url + "/stripe/webhook")},
		Chromium: os.Getenv("CHROMIUM"),
	}, b.clock.Now, log, app.Extra{Name: "mailbox", Views: mailbox.Views, Routes: func(w *web.Server) {
		caught.Routes(w)
		w.Get(axePath, lms.Browse, serveAxe)
	}})
	require.NoError(t, err)

	ctx, stop := context.WithCancel(context.Background())
	running, ctx := errgroup.WithContext(ctx)
	running.Go(func() error { return b.Serve(ctx, l) })
	if work {
		running.Go(func() error { return b.Work(ctx) })
	}
	t.Cleanup(func() {
		stop()
		if err := running.Wait(); err != nil {
			t.Errorf("stop the product: %v", err)
		}
		b.Close()
	})
	return b
}

// testLog sends warnings to the log of the test that they belong to.
type testLog struct{ testing.TB }

func (l testLog) Write(p []byte) (int, error) {
	l.Logf("%s", bytes.TrimSpace(p))
	return len(p), nil
}

// person adds an account.
func (b *box) person(given string, roles ...lms.Role) lms.Person {
	b.Helper()
	p, err := b.Accounts.Add(b.Context(), accounts.NewPerson{
		Given: given, Family: "Ortiz", Email: strings.ToLower(given) + "@example.org", Password: password, Roles: roles,
	}, b.clock.Now())
	require.NoError(b, err)
	return p
}

// signIn gives a tab a session of somebody, as if they had signed in with both
// factors just now.
func (p *tab) signIn(who lms.Person) {
	p.Helper()
	token := lmstest.Session(p, p.box.DB, who.ID, p.box.clock.Now())
	p.do("become "+who.Given, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, network.SetCookie, network.SetCookieParams{Name: "__Host-session", Value: token, URL: p.box.url, Path: "/", Secure: new(true), HTTPOnly: new(true)})
		return err
	}))
	p.open("/my-courses")
	p.until("somebody is signed in", `document.querySelector('form[action="/sign-out"]')`)
}

// packageFile opens one of the packages made by others, where there are some.
func packageFile(t testing.TB, name string) (*os.File, bool) {
	t.Helper()
	dir := os.Getenv("MOPD_PACKAGES")
	if dir == "" {
		return nil, false
	}
	f, err := os.Open(filepath.Join(dir, name))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f, true
}
