//go:build faults

package app_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// Learners take courses while servers and workers are killed around them: nobody
// loses a commit, and everybody who completes has one credit.
func TestFaultsLearnersCompleteWhileServersAndWorkersAreKilled(t *testing.T) {
	const learners, commits, kills = 12, 120, 25
	s := newSite(t)
	s.open()
	for n := range learners {
		s.run(password+"\n", "user", "add", "--email", fmt.Sprintf("learner%d@example.org", n), "--given", "Learner", "--family", strconv.Itoa(n))
	}
	var addresses []string
	var servers []*process
	for range 3 {
		p, address := s.serve()
		servers, addresses = append(servers, p), append(addresses, address)
	}
	worker := s.start("work")

	var taking errgroup.Group
	for n := range learners {
		l := newLearner(t, s.url, addresses...)
		l.begin(s.session(fmt.Sprintf("learner%d@example.org", n)), "ONE-1")
		taking.Go(func() error {
			for i := 1; i <= commits; i++ {
				l.commit(map[string]string{"cmi.suspend_data": strconv.Itoa(i), fmt.Sprintf("cmi.objectives.%d.id", i): "saved"})
			}
			data := l.data()
			for i := 1; i <= commits; i++ {
				if data[fmt.Sprintf("cmi.objectives.%d.id", i)] != "saved" {
					return fmt.Errorf("learner %d lost commit %d", n, i)
				}
			}
			l.commit(map[string]string{"cmi.core.lesson_status": "completed"})
			return nil
		})
	}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for range kills {
		<-tick.C
		n := rand.IntN(len(servers))
		servers[n].kill()
		servers[n] = s.start("serve", "--listen", addresses[n])
		if rand.IntN(3) == 0 {
			worker.kill()
			worker = s.start("work")
		}
	}
	require.NoError(t, taking.Wait())
	s.until("every credit is posted", fmt.Sprintf(`SELECT count(*) >= %d FROM registry.credits`, learners))
	s.until("every job is done", `SELECT NOT EXISTS (SELECT FROM river.river_job WHERE kind = 'post_credit' AND state <> 'completed')`)
	require.Equal(t, learners, s.credits(), "each completion has one credit")
	require.Equal(t, learners, s.letters(), "and one letter about it")
}
