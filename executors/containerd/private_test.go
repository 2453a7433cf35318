package containerd

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/executors/realtest"
	"github.com/davit-run/davit/shared/executor"
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
