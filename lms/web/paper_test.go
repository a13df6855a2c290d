package web

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAPaperIsWholeInItselfAndItsFootSaysWhatItIsGiven(t *testing.T) {
	t.Parallel()
	s := serve(t)
	word := `</style><script>"Núñez" \`
	sheet := s.get("/sheet?word=" + url.QueryEscape(word)).body
	require.Contains(t, sheet, `@bottom-left{content:"\3c /style>\3c script>\"Núñez\" \\"}`)
	require.Contains(t, sheet, `@bottom-right{content:"Page " counter(page) " of " counter(pages)}`)
	require.Contains(t, sheet, `<p id="word">&lt;/style&gt;`, "what pages of a feature share is there")
	require.NotContains(t, sheet, "<script")
	require.NotContains(t, sheet, "/static/")
}
