package cli

import (
	"context"
	"os"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/davit-run/davit/shared/executor"
)

func TestForward(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		signals, ids := make(chan os.Signal, 8), make(chan string, 1)
		var sent []executor.Signal
		done := make(chan struct{})
		go func() {
			defer close(done)
			forward(ctx, signals, ids, func(id string, sig executor.Signal) bool {
				if id != "c1" {
					t.Errorf("sent to %q", id)
				}
				sent = append(sent, sig)
				return true
			}, func() bool { return false }, func() { t.Error("left") })
		}()
		signals <- syscall.SIGHUP
		signals <- syscall.SIGTERM
		synctest.Wait()
		if sent != nil {
			t.Errorf("sent %v before the start", sent)
		}
		ids <- "c1"
		signals <- syscall.SIGTERM
		signals <- syscall.SIGWINCH
		synctest.Wait()
		if len(sent) != 4 || sent[0] != syscall.SIGHUP || sent[1] != syscall.SIGTERM {
			t.Errorf("sent %v", sent)
		}
		cancel()
		<-done
	})
}

// TestForwardThatHangs leaves a container whose host does not answer.
func TestForwardThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		signals, ids := make(chan os.Signal, 8), make(chan string, 1)
		ids <- "c1"
		left := false
		for range leaveAfter {
			signals <- syscall.SIGINT
		}
		forward(ctx, signals, ids, func(string, executor.Signal) bool { <-ctx.Done(); return true }, func() bool { return false }, func() { left = true; cancel() })
		if !left {
			t.Error("not left")
		}
	})
}

// TestForwardToNobody leaves at the first signal while there is no host.
func TestForwardToNobody(t *testing.T) {
	signals, ids := make(chan os.Signal, 8), make(chan string, 1)
	ctx, cancel := context.WithCancel(t.Context())
	left := false
	signals <- syscall.SIGINT
	forward(ctx, signals, ids, func(string, executor.Signal) bool { return true }, func() bool { return true }, func() { left = true; cancel() })
	if !left {
		t.Error("not left")
	}
}

// TestForwardToOneThatDies leaves when the first interrupt finds no host, although there
// seemed to be one. Other signals do not end anything.
func TestForwardToOneThatDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals, ids := make(chan os.Signal, 8), make(chan string, 1)
		ctx, cancel := context.WithCancel(t.Context())
		ids <- "c1"
		signals <- syscall.SIGHUP
		signals <- syscall.SIGINT
		var lost []executor.Signal
		left := 0
		forward(ctx, signals, ids, func(_ string, sig executor.Signal) bool {
			lost = append(lost, sig)
			return false
		}, func() bool { return false }, func() { left++; cancel() })
		if left != 1 || len(lost) != 2 {
			t.Errorf("left %d times after %v", left, lost)
		}
	})
}
