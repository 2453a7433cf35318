package containerd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/linux"
)

// shimSockets is where shims of the second interface have their sockets,
// whatever the daemon's state directory is.
const shimSockets = "/run/containerd/s"

const (
	// reapWait is how long a shim whose task is gone may take to end by itself.
	reapWait = time.Second
	// taskWait is how long a shim may take to answer, and to release a task that
	// nobody needs.
	taskWait = 2 * time.Second
)

// reapBundles removes what a daemon of our own has left of a task that is gone,
// because the daemon was killed in between: containerd 1.6 does not remove the bundle
// of io.containerd.runc.v1 when that shim has removed its socket already.
func (d *driver) reapBundles(cid string) error {
	if d.own == nil {
		return nil
	}
	var errs []error
	for _, dir := range []string{d.own.state(), filepath.Join(d.own.root, "root")} {
		for _, plugin := range []string{"io.containerd.runtime.v2.task", "io.containerd.runtime.v1.linux"} {
			errs = append(errs, d.removeBundle(filepath.Join(dir, plugin, d.config.Namespace, cid), cid))
		}
	}
	return errors.Join(errs...)
}

// reapShim removes what nobody else removes once a task is gone: the socket of a shim
// that was killed, and a shim whose daemon was killed before it had noted where that
// shim listens. With always, it looks for the shim even without a socket, since the
// daemon may have removed the socket while the shim lives on. That takes a look at
// all processes.
func (d *driver) reapShim(ctx context.Context, cid string, always bool) error {
	sum := sha256.Sum256([]byte(filepath.Join(d.conn.address, d.config.Namespace, cid)))
	socket := filepath.Join(shimSockets, hex.EncodeToString(sum[:]))
	for begin := time.Now(); ; {
		_, err := os.Lstat(socket)
		absent := errors.Is(err, fs.ErrNotExist)
		if absent && !always {
			return nil
		}
		shims := findShims(cid)
		if len(shims) == 0 {
			if err := os.Remove(socket); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		}
		var errs []error
		for _, shim := range shims {
			if time.Since(begin) > reapWait {
				d.log.Warn("a shim without a task is killed", "container", cid, "pid", shim.PID)
				bundle, _ := os.Readlink(filepath.Join("/proc", strconv.Itoa(shim.PID), "cwd"))
				_ = shim.Signal(syscall.SIGKILL)
				errs = append(errs, d.removeBundle(bundle, cid))
			}
			_ = shim.Close()
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
		if !oci.Pause(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// findShims returns the shims that were started for a container. The caller closes
// them.
func findShims(cid string) []*linux.Process {
	found, _ := linux.FindProcesses(func(pid int) bool { return isShim(pid, cid) })
	return found
}

// shimLives reports whether there is a shim that was started for a container.
func shimLives(cid string) bool {
	shims := findShims(cid)
	for _, shim := range shims {
		_ = shim.Close()
	}
	return len(shims) > 0
}

// isShim reports whether a process is a shim that was started for a container:
// the first shim has its id in its work directory, later ones as an argument. The
// ids of containers are unique to a backend. A shim that is a script is the second
// argument of its interpreter.
func isShim(pid int, cid string) bool {
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return false
	}
	program, args, _ := bytes.Cut(line, []byte{0})
	script, _, _ := bytes.Cut(args, []byte{0})
	return (hasShimName(program) || hasShimName(script)) &&
		(bytes.Contains(args, []byte("-id\x00"+cid+"\x00")) || bytes.Contains(args, []byte("/"+cid+"\x00")))
}

func hasShimName(path []byte) bool {
	return strings.HasPrefix(filepath.Base(string(path)), "containerd-shim")
}
