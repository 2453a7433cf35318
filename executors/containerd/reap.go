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
	"time"

	"github.com/davit-run/davit/executors/internal/oci"
)

// shimSockets is where shims of the second interface have their sockets,
// whatever the daemon's state directory is.
const shimSockets = "/run/containerd/s"

const (
	// reapWait is how long a shim whose task is gone may take to end by itself.
	reapWait = time.Second
	// taskWait is how long a shim may take to answer, and to let go of a task that
	// nobody needs.
	taskWait = 2 * time.Second
)

// reapBundles removes what a daemon of our own has left of a task that is gone,
// because it was killed in between: containerd 1.6 does not get rid of the bundle
// of io.containerd.runc.v1 when that has taken its socket away already.
func (b *Backend) reapBundles(cid string) error {
	if b.own == nil {
		return nil
	}
	var errs []error
	for _, dir := range []string{b.own.state(), filepath.Join(b.own.root, "root")} {
		for _, plugin := range []string{"io.containerd.runtime.v2.task", "io.containerd.runtime.v1.linux"} {
			errs = append(errs, b.removeBundle(filepath.Join(dir, plugin, b.config.Namespace, cid), cid))
		}
	}
	return errors.Join(errs...)
}

// reapShim removes what nobody else does once a task is gone: the socket of a
// shim that was killed, and a shim whose daemon was killed before it had noted
// where that shim listens. Where the daemon may have removed the socket while the
// shim lives on, the shim is to be looked for without, which takes a look at all
// processes.
func (b *Backend) reapShim(ctx context.Context, cid string, always bool) error {
	sum := sha256.Sum256([]byte(filepath.Join(b.conn.address, b.config.Namespace, cid)))
	socket := filepath.Join(shimSockets, hex.EncodeToString(sum[:]))
	for begin := time.Now(); ; {
		_, err := os.Lstat(socket)
		absent := errors.Is(err, fs.ErrNotExist)
		if absent && !always {
			return nil
		}
		shim := findShim(cid)
		if shim == nil {
			if err := os.Remove(socket); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		}
		if time.Since(begin) > reapWait {
			b.log.Warn("a shim without a task is killed", "container", cid, "pid", shim.Pid)
			bundle, _ := os.Readlink(filepath.Join("/proc", strconv.Itoa(shim.Pid), "cwd"))
			_ = shim.Kill()
			if err := b.removeBundle(bundle, cid); err != nil {
				return err
			}
		}
		_ = shim.Release()
		if !oci.Pause(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// findShim gives the shim of a container, or nil. The handle means this process
// for as long as it is held.
func findShim(cid string) *os.Process {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !isShim(pid, cid) {
			continue
		}
		handle, err := os.FindProcess(pid)
		if err != nil {
			continue
		}
		if isShim(pid, cid) { // still, now that the pid cannot change its meaning
			return handle
		}
		_ = handle.Release()
	}
	return nil
}

// isShim reports whether a process is a shim that was started for a container:
// the first shim has its id in its work directory, later ones as an argument. The
// ids of containers are unique to a backend.
func isShim(pid int, cid string) bool {
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return false
	}
	program, args, _ := bytes.Cut(line, []byte{0})
	return strings.HasPrefix(filepath.Base(string(program)), "containerd-shim") &&
		(bytes.Contains(args, []byte("-id\x00"+cid+"\x00")) || bytes.Contains(args, []byte("/"+cid+"\x00")))
}
