package pdf

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	read "github.com/ledongthuc/pdf"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"mopd/lms"
)

func printer(t *testing.T) *Printer {
	t.Helper()
	p, err := Find(os.Getenv("CHROMIUM"))
	require.NoError(t, err)
	require.NotNil(t, p)
	t.Cleanup(p.Close)
	return p
}

func open(t *testing.T, file []byte) *read.Reader {
	t.Helper()
	r, err := read.NewReader(bytes.NewReader(file), int64(len(file)))
	require.NoError(t, err)
	return r
}

func text(t *testing.T, file []byte) string {
	t.Helper()
	said, err := open(t, file).GetPlainText()
	require.NoError(t, err)
	var b bytes.Buffer
	_, err = b.ReadFrom(said)
	require.NoError(t, err)
	return b.String()
}

const sheet = `<!doctype html><html lang="es"><head><title>Informe</title><style>@page{size:letter}</style></head><body><h1>Núñez</h1>%s</body></html>`

func TestAPageBecomesATaggedFileWithItsTitleAndLanguage(t *testing.T) {
	t.Parallel()
	file, err := printer(t).Print(t.Context(), fmt.Sprintf(sheet, ""))
	require.NoError(t, err)
	root := open(t, file).Trailer().Key("Root")
	require.True(t, root.Key("MarkInfo").Key("Marked").Bool())
	require.False(t, root.Key("StructTreeRoot").IsNull())
	require.False(t, root.Key("Outlines").IsNull())
	require.Equal(t, "es", root.Key("Lang").Text())
	require.Equal(t, "Informe", open(t, file).Trailer().Key("Info").Key("Title").Text())
	require.Contains(t, text(t, file), "Núñez")
	box := open(t, file).Page(1).V.Key("MediaBox")
	require.Equal(t, []float64{612, 792}, []float64{box.Index(2).Float64(), box.Index(3).Float64()}, "letter")
}

func TestAPageReachesNeitherNetworkNorFilesAndRunsNoScript(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	site := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(site.Close)
	secret := filepath.Join(t.TempDir(), "secret.html")
	require.NoError(t, os.WriteFile(secret, []byte("a secret of the machine"), 0o600))
	page := fmt.Sprintf(sheet, strings.NewReplacer("SITE", site.URL, "FILE", "file://"+secret).Replace(
		`<img src="SITE/1"><link rel="stylesheet" href="SITE/2"><iframe src="SITE/3"></iframe><iframe src="FILE"></iframe>
		<object data="FILE"></object><script>document.body.append("a script ran")</script><img src="x" onerror="document.body.append('a script ran')">`))
	file, err := printer(t).Print(t.Context(), page)
	require.NoError(t, err)
	require.Zero(t, asked.Load())
	require.NotContains(t, text(t, file), "secret")
	require.NotContains(t, text(t, file), "script ran")
}

func TestChromiumThatDiedIsStartedAgain(t *testing.T) {
	t.Parallel()
	p := printer(t)
	_, err := p.Print(t.Context(), fmt.Sprintf(sheet, ""))
	require.NoError(t, err)
	require.NoError(t, chromedp.FromContext(p.browser).Browser.Process().Kill())
	_, err = p.Print(t.Context(), fmt.Sprintf(sheet, ""))
	require.NoError(t, err)
}

func TestManyPagesAtOnceAreAllPrintedEachItsOwn(t *testing.T) {
	t.Parallel()
	p := printer(t)
	var pages errgroup.Group
	for i := range 8 {
		pages.Go(func() error {
			file, err := p.Print(t.Context(), fmt.Sprintf(sheet, fmt.Sprintf("<p>page-%d-</p>", i)))
			if err == nil && !strings.Contains(text(t, file), fmt.Sprintf("page-%d-", i)) {
				err = fmt.Errorf("page %d says %q", i, text(t, file))
			}
			return err
		})
	}
	require.NoError(t, pages.Wait())
}

func TestWhoCannotWaitIsTold(t *testing.T) {
	t.Parallel()
	p := printer(t)
	for range atOnce {
		p.places <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := p.Print(ctx, fmt.Sprintf(sheet, ""))
	require.ErrorIs(t, err, lms.ErrUnavailable)
}

func TestAMachineWithoutChromiumHasNoPrinter(t *testing.T) {
	t.Parallel()
	p, err := Find(None)
	require.NoError(t, err)
	require.Nil(t, p)
	_, err = Find("/no/such/chromium")
	require.ErrorContains(t, err, "/no/such/chromium")
}
