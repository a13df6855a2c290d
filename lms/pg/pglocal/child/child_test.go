package child

import (
	"context"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAServingChildIsReturnedWithWhatItAnnounced(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", `echo warming up; echo "listening on 127.0.0.1:1"; exec cat`)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	p, address, err := StartServing(t.Context(), cmd, syscall.SIGKILL, "listening on ")
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:1", address)

	_, err = in.Write(make([]byte, 1<<20)) // later output must not block the child
	require.NoError(t, err)
	require.NoError(t, p.Stop(t.Context(), syscall.SIGTERM))
	require.NoError(t, p.Stop(t.Context(), syscall.SIGTERM), "a second stop finds nothing to do")
}

func TestAChildThatEndsBeforeItServesIsAnErrorThatTellsItsWords(t *testing.T) {
	t.Parallel()
	_, _, err := StartServing(t.Context(), exec.Command("sh", "-c", `echo no room; exit 3`), syscall.SIGKILL, "listening on ")
	require.ErrorContains(t, err, "exit status 3")
	require.ErrorContains(t, err, "no room")
}

func TestAChildThatDoesNotStopInTimeIsKilled(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", `trap "" TERM; echo ready; while :; do read -r line; done`)
	_, err := cmd.StdinPipe() // held open, so that the child has something to wait for
	require.NoError(t, err)
	p, _, err := StartServing(t.Context(), cmd, syscall.SIGKILL, "ready")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, p.Stop(ctx, syscall.SIGTERM), context.DeadlineExceeded)
	require.Error(t, p.Err())
}
