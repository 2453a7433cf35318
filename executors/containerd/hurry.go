package containerd

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// runtimeGrace is how long an OCI runtime and its hooks may work on a container that is
// not wanted any more. It is shorter than grace, in which containerd can say what became of
// it.
const runtimeGrace = time.Second

// hurry ends the OCI runtime that creates a container, with its hooks, when it still works
// a while after ctx has ended: neither containerd nor a shim does that, and a hook may
// take for ever. Call done when the container is created, or could not be. What starts it
// is never hurried: it may have begun to run.
func (d *driver) hurry(ctx context.Context, cid string) (done func()) {
	over := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-over:
		case <-time.After(runtimeGrace):
			d.endRuntime(cid)
		}
	})
	return func() {
		stop()
		close(over)
		if ctx.Err() != nil {
			d.hurried.Store(cid, true)
			d.endRuntime(cid) // hooks that outlive it
		}
	}
}

// endRuntime kills what works in the bundle of a container, except for its shim: the OCI
// runtime, and its hooks. Nothing of the container itself does. It reports whether there
// was anything.
func (d *driver) endRuntime(cid string) bool {
	const passes = 50 // of at most 20 ms
	killed := map[int]bool{}
	// What is about to be killed may have forked since it was looked for.
	for range passes {
		found, _ := linux.FindProcesses(func(pid int) bool { return d.worksFor(pid, cid) && !isShim(pid, cid) })
		if len(found) == 0 {
			break
		}
		for _, p := range found {
			if !killed[p.PID] {
				killed[p.PID] = true
				d.log.Warn("a runtime, or its hook, that takes too long is killed", "container", cid, "pid", p.PID)
			}
			_ = p.Signal(unix.SIGKILL)
			_ = p.Close()
		}
		time.Sleep(min(time.Millisecond<<len(killed), 20*time.Millisecond))
	}
	if len(killed) > 0 {
		d.hurried.Store(cid, true)
	}
	return len(killed) > 0
}

// endRest kills what a runtime that was killed has left when its container is gone: its
// shim may have run it once more, or killed it without its children.
func (d *driver) endRest(cid string) {
	if _, was := d.hurried.Load(cid); was {
		d.endRuntime(cid)
		d.hurried.Delete(cid)
	}
}

// worksFor reports whether the working directory of a process is the bundle of a
// container. A bundle that is being deleted has a dot before its name.
func (d *driver) worksFor(pid int, cid string) bool {
	dir, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "cwd"))
	dir = strings.TrimSuffix(dir, " (deleted)")
	return err == nil && strings.TrimPrefix(filepath.Base(dir), ".") == cid && filepath.Base(filepath.Dir(dir)) == d.config.Namespace
}
