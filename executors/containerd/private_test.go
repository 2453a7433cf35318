package containerd

import (
	"context"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/hashicorp/go-hclog"
)

func TestPrivateDaemon(t *testing.T) {
	everyDaemon(t, func(t *testing.T, version string) {
		bin := realtest.Bin(t, version)
		f := newFixture(t, "private/"+version, map[string]any{"containerd": filepath.Join(bin, "containerd")})
		pid := func() int {
			info, err := f.b.driver.conn.info(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return info.pid
		}
		first, ref := pid(), first("p")
		f.run(ref, "", untilTerm)
		f.streams.WaitOutput(ref, "out", "ready")

		// The daemon is left alone while there is a container, and adopted.
		if err := f.b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.open()
		if got := pid(); got != first {
			t.Errorf("after a restart: containerd has pid %d, want %d", got, first)
		}
		f.crash()
		f.open()
		if got := pid(); got != first {
			t.Errorf("after a crash: containerd has pid %d, want %d", got, first)
		}

		// The daemon is started again when it dies, and the container lives.
		if _, err := f.b.Restore(t.Context(), ref, executor.Stdio{}); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		wait.Until(t, "containerd was started again", func() bool { return pid2(f) != first })
		if st, err := f.b.Restore(t.Context(), ref, executor.Stdio{}); err != nil || st.State != executor.Running {
			t.Errorf("after the daemon's death: got %+v, %v", st, err)
		}
		if err := f.b.Signal(t.Context(), ref, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if exit, out := f.host.WaitReleased(t, ref); *exit.Code != 9 || out != executor.Complete {
			t.Errorf("got %+v, %s", exit, out)
		}

		// The daemon ends with the last container.
		last := pid()
		if err := f.b.Delete(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		if err := f.b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		realtest.WaitGone(t, last)
		f.open() // for the clean-up
	})
}

// pid2 returns the pid of the connected daemon, 0 while there is none.
func pid2(f *fixture) int {
	if f.b.driver.ready(f.t.Context()) != nil {
		return 0
	}
	info, err := f.b.driver.conn.info(f.t.Context())
	if err != nil {
		return 0
	}
	return info.pid
}

// TestPrivateDaemonIsStartedOnce checks that one daemon is started, however many look
// for it at once.
func TestPrivateDaemonIsStartedOnce(t *testing.T) {
	t.Parallel()
	bin := realtest.Bin(t, realtest.V16)
	dir := realtest.Dir(t)
	realtest.NothingLeft(t, dir)
	p := &private{program: filepath.Join(bin, "containerd"), root: filepath.Join(dir, "root"), run: dir, log: hclog.NewNullLogger(), cancel: func() {}}
	ends := make(chan func(context.Context), 8)
	var wg sync.WaitGroup
	for range cap(ends) {
		wg.Go(func() {
			// As in different processes: each has its own descriptor of the lock.
			ended, err := p.ensure()
			if err != nil {
				t.Error(err)
				return
			}
			ends <- ended
		})
	}
	wg.Wait()
	var pids []int
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		if pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path))); p.is(pid) {
			pids = append(pids, pid)
		}
	}
	if len(pids) != 1 {
		t.Errorf("got daemons %v, want one", pids)
	}
	if err := p.stop(t.Context()); err != nil {
		t.Error(err)
	}
	for _, pid := range pids {
		realtest.WaitGone(t, pid)
	}
	for len(ends) > 0 {
		(<-ends)(t.Context())
	}
}
