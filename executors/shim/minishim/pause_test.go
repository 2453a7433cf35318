package minishim_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/host/rigs/wait"
)

// counters are two processes that count in files.
const counters = `count() { i=0; while :; do i=$((i+1)); echo $i >/tmp/$1; done; }; count a & count b`

// counted returns both counts, once they are whole.
func (r *rig) counted() [2]int {
	r.t.Helper()
	var n [2]int
	for i, name := range []string{"tmp/a", "tmp/b"} {
		n[i], _ = strconv.Atoi(r.inside(name)) // 0 while it is written
	}
	return n
}

// counts waits until both processes have counted on.
func (r *rig) counts() {
	r.t.Helper()
	r.until("both have counted", func() bool { n := r.counted(); return n[0] > 0 && n[1] > 0 })
	was := r.counted()
	r.until("both count on", func() bool { n := r.counted(); return n[0] > was[0] && n[1] > was[1] })
}

func TestPause(t *testing.T) {
	r := newRig(t, counters, nil)
	r.must(r.create(nil))
	wantCode(t, "pause before the start", r.pause(), errdefs.ErrFailedPrecondition)
	r.must(r.start(""))
	r.counts()
	wantCode(t, "resume of what runs", r.resume(), nil)
	for range 3 {
		r.freeze()
		r.wantState("", tasktypes.Status_PAUSED)
		was := [2]string{r.inside("tmp/a"), r.inside("tmp/b")}
		// A loop takes some 10 µs, so a process that still ran would be noticed.
		for range 20 {
			time.Sleep(time.Millisecond)
			if now := [2]string{r.inside("tmp/a"), r.inside("tmp/b")}; now != was {
				t.Fatalf("paused, and counted from %v to %v", was, now)
			}
		}
		wantCode(t, "second pause", r.pause(), nil)
		r.must(r.resume())
		r.wantState("", tasktypes.Status_RUNNING)
		r.counts()
	}
	r.must(r.kill("", syscall.SIGKILL))
	r.wait("")
	wantCode(t, "pause after the end", r.pause(), errdefs.ErrFailedPrecondition)
	wantCode(t, "resume after the end", r.resume(), errdefs.ErrFailedPrecondition)
}

// TestKillPaused checks that only a SIGKILL acts before the container is resumed.
func TestKillPaused(t *testing.T) {
	for _, pids := range []bool{true, false} {
		t.Run("own-pids-"+strconv.FormatBool(pids), func(t *testing.T) {
			r := run(t, "trap 'echo term' TERM; echo ready; "+counters, func(spec map[string]any) {
				if !pids {
					spec["linux"].(map[string]any)["namespaces"] = []map[string]string{{"type": "mount"}}
				}
			})
			r.ready("out", "ready")
			r.freeze()
			r.must(r.kill("", syscall.SIGTERM))
			if out := r.read("out"); strings.Contains(out, "term") {
				t.Errorf("got %q", out)
			}
			r.wantState("", tasktypes.Status_PAUSED)
			r.must(r.kill("", syscall.SIGKILL))
			if got := r.wait(""); got != 137 {
				t.Errorf("got %d", got)
			}
			r.wantState("", tasktypes.Status_STOPPED)
			r.must(r.delete(""))
		})
	}
}

// TestKillWhilePausing checks that the container ends, whether kill or pause comes
// first.
func TestKillWhilePausing(t *testing.T) {
	for i := range 4 {
		r := run(t, counters, nil)
		r.counts()
		paused := make(chan error, 1)
		go func() { paused <- r.pause() }()
		time.Sleep(time.Duration(i) * 4 * time.Millisecond)
		r.must(r.kill("", syscall.SIGKILL))
		if got := r.wait(""); got != 137 {
			t.Errorf("got %d", got)
		}
		if err := <-paused; err != nil {
			wantCode(t, "pause", err, errdefs.ErrFailedPrecondition)
		}
	}
}

// TestKillDuringAPauseThatFails checks that a container ends that was killed while a
// pause was under way that froze it and then failed.
func TestKillDuringAPauseThatFails(t *testing.T) {
	r := newRig(t, "echo ready; sleep 1000", nil)
	real, script := r.runtime, filepath.Join(r.dir, "runtime")
	r.runtime = script
	r.must(os.WriteFile(script, []byte(`#!/bin/sh
case " $* " in
*" pause "*) `+real+` "$@"; >`+r.dir+`/frozen; while [ ! -e `+r.dir+`/fail ]; do sleep 0.01; done; exit 1;;
esac
exec `+real+` "$@"
`), 0o700))
	r.must(r.create(nil))
	r.must(r.start(""))
	r.ready("out", "ready")
	paused := make(chan error, 1)
	go func() { paused <- r.pause() }()
	wait.Until(t, "it is frozen", func() bool { _, err := os.Stat(filepath.Join(r.dir, "frozen")); return err == nil })
	r.must(r.kill("", syscall.SIGKILL))
	r.must(os.WriteFile(filepath.Join(r.dir, "fail"), nil, 0o600))
	if got := r.wait(""); got != 137 {
		t.Errorf("got %d", got)
	}
	wantCode(t, "pause", <-paused, errdefs.ErrFailedPrecondition)
}

// TestPauseFails checks that the runtime is asked for the state after a pause that
// failed.
func TestPauseFails(t *testing.T) {
	r := newRig(t, "echo ready; sleep 1000", nil)
	real, script := r.runtime, filepath.Join(r.dir, "runtime")
	r.runtime = script
	// This runtime pauses, says that it did not, and does not resume.
	r.must(os.WriteFile(script, []byte(`#!/bin/sh
case " $* " in
*" pause "*) `+real+` "$@"; exit 1;;
*" resume "*) [ -e `+r.dir+`/mend ] || exit 1;;
esac
exec `+real+` "$@"
`), 0o700))
	r.must(r.create(nil))
	r.must(r.start(""))
	r.ready("out", "ready")
	if err := r.pause(); err == nil {
		t.Error("pause: got no error")
	}
	r.wantState("", tasktypes.Status_PAUSED)
	if err := r.resume(); err == nil {
		t.Error("resume: got no error")
	}
	r.wantState("", tasktypes.Status_PAUSED)
	r.must(os.WriteFile(filepath.Join(r.dir, "mend"), nil, 0o600))
	r.must(r.resume())
	r.wantState("", tasktypes.Status_RUNNING)
}
