package containerd

import (
	"context"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/executors/realtest"
	"github.com/davit-run/davit/shared/executor"
	"github.com/hashicorp/go-hclog"
)

func TestPrivateDaemon(t *testing.T) {
	everyDaemon(t, func(t *testing.T, version string) {
		bin := realtest.Bin(t, version)
		f := newFixture(t, "private/"+version, map[string]any{"containerd": filepath.Join(bin, "containerd")})
		pid := func() int {
			info, err := f.b.conn.info(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return info.pid
		}
		first, ref := pid(), first("p")
		f.run(ref, "", untilTerm)
		f.waitOutput(ref, "ready")

		// It is left alone while there is a container, and taken over.
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

		// It is started again when it dies, and the container lives.
		if _, err := f.b.Restore(t.Context(), ref, executor.Stdio{}); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(10 * time.Second); pid2(f) == first; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("containerd is not started again")
			}
		}
		if st, err := f.b.Restore(t.Context(), ref, executor.Stdio{}); err != nil || st.State != executor.Running {
			t.Errorf("after the daemon's death: got %+v, %v", st, err)
		}
		if err := f.b.Signal(t.Context(), ref, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if exit, out := f.host.WaitReleased(t, ref); *exit.Code != 9 || out != executor.Complete {
			t.Errorf("got %+v, %s", exit, out)
		}

		// It ends with the last container.
		last := pid()
		if err := f.b.Delete(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		if err := f.b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		waitGone(t, last)
		f.open() // for the clean-up
	})
}

// pid2 gives the pid of the connected daemon, 0 while there is none.
func pid2(f *fixture) int {
	if f.b.ready(f.t.Context()) != nil {
		return 0
	}
	info, err := f.b.conn.info(f.t.Context())
	if err != nil {
		return 0
	}
	return info.pid
}

// However many look for the daemon at once, one is started.
func TestPrivateDaemonIsStartedOnce(t *testing.T) {
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
		waitGone(t, pid)
	}
	for len(ends) > 0 {
		(<-ends)(t.Context())
	}
}
