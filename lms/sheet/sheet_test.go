package sheet

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestATableBeginsSoThatSpreadsheetsReadItsAccents(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	w, err := NewWriter(&file, "Name", "Amount")
	require.NoError(t, err)
	require.NoError(t, w.Write([]string{"Núñez, Ana", "-5.00"}))
	require.Equal(t, "\xef\xbb\xbfName,Amount\n\"Núñez, Ana\",-5.00\n", file.String())
}

func TestNoCellIsTakenForAFormula(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.StringMatching(`[-=+@\t\r]?.{0,6}`).Draw(t, "cell")
		var file bytes.Buffer
		w, err := NewWriter(&file, "head")
		require.NoError(t, err)
		require.NoError(t, w.Write([]string{cell, "end"}))
		r := csv.NewReader(strings.NewReader(strings.TrimPrefix(file.String(), mark)))
		r.FieldsPerRecord = -1
		rows, err := r.ReadAll()
		require.NoError(t, err)
		got := rows[1][0]
		if got != "" && strings.ContainsRune("=+@\t\r-", rune(got[0])) {
			require.Regexp(t, `^-[0-9.]+$`, got)
		}
	})
}

func TestFormulasAreQuotedAndAmountsAreNot(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-1": "-1", "-x": "'-x", "-": "'-", "-1.50": "-1.50", "@sum(a1)": "'@sum(a1)", "\tx": "'\tx", "\rx": "'\rx", "": "", "a=b": "a=b", "ñ": "ñ", "'": "'",
	} {
		require.Equal(t, want, harmless(cell))
	}
}
