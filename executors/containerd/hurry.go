package containerd

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/davit-run/davit/executors/internal/oci"
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
	ctx, cancel := context.WithTimeout(context.Background(), runtimeGrace)
	defer cancel()
	killed, _ := oci.KillAll(ctx, func(pid int) bool { return d.worksFor(pid, cid) && !isShim(pid, cid) })
	if len(killed) == 0 {
		return false
	}
	d.log.Warn("a runtime, or its hook, that takes too long is killed", "container", cid, "pids", killed)
	d.hurried.Store(cid, true)
	return true
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
