package player

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
)

func TestAFullActivityIsWrittenOnceForAllBatchesOfACommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.launch()
	for i := range 14 {
		s.set("cmi.interactions."+numbered(i), strings.Repeat("x", maxValue))
	}
	_, err := w.db.Exec(t.Context(), `CREATE TABLE writes (id bigint GENERATED ALWAYS AS IDENTITY);
		CREATE FUNCTION count_write() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.writes DEFAULT VALUES; RETURN NULL; END';
		CREATE TRIGGER count_write AFTER UPDATE ON player.activity_data FOR EACH ROW EXECUTE FUNCTION count_write()`)
	require.NoError(t, err)
	var earlier []Batch
	for i := range maxEarlier {
		b := s.next("cmi.core.lesson_location", fmt.Sprint(i), elementSession, fmt.Sprintf("0000:00:00.%02d", i%100))
		if i == 100 {
			b.Changes[elementStatus], b.Over = "passed", true
		}
		if i == 150 {
			b.Changes[elementStatus] = "incomplete"
		}
		earlier = append(earlier, b)
	}
	full := s.next("cmi.suspend_data", "kept")
	full.Changes["cmi.comments"] = "no room"
	full.Changes["cmi.interactions.more"] = strings.Repeat("y", maxValue)
	full.Changes["cmi.interactions.most"] = strings.Repeat("y", maxValue)
	full.Changes["cmi.interactions.last"] = strings.Repeat("y", maxValue)
	saved, err := s.send(full, earlier...)
	require.NoError(t, err)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM writes`))
	require.Equal(t, Unreadable, saved.Held)
	require.Equal(t, 1, w.held(), "what has no room is held whole, and alone")
	require.Equal(t, full.Seq, saved.Seq)
	require.True(t, saved.Completed, "each batch is judged by itself")
	require.Equal(t, lms.Completed, w.state())
	data := s.state().Data
	require.Equal(t, "199", data["cmi.core.lesson_location"])
	require.Equal(t, "incomplete", data[elementStatus])
	require.NotContains(t, data, "cmi.comments")
	require.Equal(t, 1, w.count(`SELECT count(*) FROM player.session_times WHERE centiseconds = 99`))
	require.Zero(t, w.count(`SELECT count(*) FROM player.activity_data WHERE finished`))
}

func TestTheSizeOfDataIsCountedAsTheDatabaseDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.launch()
	s.set("cmi.a", "x")
	a := &activity{data: map[string]string{"cmi.a": "x"}, size: len(`{"cmi.a": "x"}`)}
	for _, changes := range []map[string]string{
		{"cmi.a": "\x01\x1f\x7f\b\f\n\r\t\"\\/é😀<>&\u2028"},
		{"cmi.\"b": "", "cmi.c": strings.Repeat("\x02", 100)},
		{"cmi.c": ""},
	} {
		require.True(t, a.lay(changes, false))
		_, err := s.send(Batch{Seq: s.next().Seq, Changes: changes})
		require.NoError(t, err)
		a.decide("passed")
		s.set(elementStatus, "passed")
		require.Equal(t, a.size, w.count(`SELECT octet_length(data::text) FROM player.activity_data`))
	}
}
