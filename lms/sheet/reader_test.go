package sheet

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
)

// refused reads a table to its end and gives the line that its refusal names; 0 if it is
// not refused for a quote.
func refused(t require.TestingT, text string) int {
	r, err := NewReader(strings.NewReader(text), "id")
	for err == nil || errors.Is(err, ErrRow) {
		_, _, err = r.Next()
	}
	if errors.Is(err, io.EOF) {
		return 0
	}
	e, ok := lms.AsError(err)
	require.True(t, ok, "%v", err)
	require.Equal(t, "import_quote", e.Code)
	return e.Args["Line"].(int)
}

func TestAQuoteThatIsNotClosedIsFoundInItsLine(t *testing.T) {
	t.Parallel()
	for text, line := range map[string]int{
		"id,title\n1,Play\n2,\"Play\n3,Play\n":                        3,
		"id,title\n1,\"Play\n":                                        0, // the last row alone cannot be read
		"id,title\n1,\"Play\n2,\"Play\"\n3,Play\n":                    2, // the next quote would open the next cell
		"id,title\n1,\"Play\n2,x\",Play\n":                            2, // the next quote closes it: the row has swallowed one
		"id,title\n\"1\na\",\"Play\n2,Play\n":                         2, // a cell of two lines before
		"id,title\r\n1,Play\r\n2,\"Play\r\n3,Play\r\n":                3,
		"id,title\n\n\n1,\"Play\n2,Play\n":                            4,
		"id,\"title\n1,Play\n":                                        1,
		"id,title\n1,\"two\nlines\"\n2,Play\n":                        0,
		"id,title\n1,\"said \"\"play\"\"\"\n":                         0,
		"id,title\n1,Play \"and\" learn\n2,\"Play\" and learn\n3,x\n": 0, // rows that cannot be read, and end where they should
		"id,title\n1,Play,too many\n2,Play\n":                         0,
	} {
		require.Equal(t, line, refused(t, text), text)
	}
}

func TestAQuoteThatIsNotClosedSwallowsNoRow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.StringMatching(`[a-z]{0,3}[, ]?[a-z]{0,3}`)
		rows := rapid.IntRange(2, 8).Draw(t, "rows")
		open := rapid.IntRange(1, rows-1).Draw(t, "the quote opens in row")
		var file bytes.Buffer
		w := csv.NewWriter(&file)
		require.NoError(t, w.Write([]string{"id", "title", "more"}))
		for i := range rows {
			w.Flush()
			cells := []string{"1", cell.Draw(t, "title"), cell.Draw(t, "more")}
			if i+1 == open {
				file.WriteString("1,\"" + strings.ReplaceAll(cells[1], ",", "") + ",x\n")
				continue
			}
			require.NoError(t, w.Write(cells))
		}
		w.Flush()
		require.Equal(t, open+1, refused(t, file.String()))
	})
}
