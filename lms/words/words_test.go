package words

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/lms"
)

func TestDaysAndInstantsAreWrittenAsTheLanguageWritesThem(t *testing.T) {
	t.Parallel()
	d := lms.Date{Year: 2026, Month: 3, Day: 1}
	require.Equal(t, "March 1, 2026", Date("en", d))
	require.Equal(t, "1 de marzo de 2026", Date("es", d))
	at := time.Date(2026, 3, 2, 5, 4, 3, 0, time.UTC) // the day before in Central
	require.Equal(t, "March 1, 2026, 11:04 PM Central", Instant("en", at))
	require.Equal(t, "March 2026", Month("en", lms.DateOf(at)))
	require.Equal(t, "marzo de 2026", Month("es", lms.DateOf(at)))
	require.Equal(t, "1 de marzo de 2026, 11:04 p. m. (hora central)", Instant("es", at))
}
