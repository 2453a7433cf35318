package containerd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// removeOrphans removes what can be left of a container of which containerd no
// longer knows a task:
//
//   - a shim, if containerd died while it started it: 1.6 forgets about it, and
//     its bundle is then in the way of the next task of that id;
//   - a container in the OCI runtime, if the shim failed after it was made, for
//     instance because an output file cannot be opened. io.containerd.runc.v1 and
//     the first shim leave it behind.
func (b *Backend) removeOrphans(ctx context.Context, p plan) error {
	if err := b.killOrphanShims(ctx, p.cid); err != nil {
		return err
	}
	if p.shim.Options.Root == nil {
		return nil
	}
	root := filepath.Join(*p.shim.Options.Root, b.config.Namespace)
	if _, err := os.Stat(filepath.Join(root, p.cid)); err != nil {
		return nil
	}
	binary := p.binary
	if binary == "" {
		binary = "runc"
	}
	out, err := exec.CommandContext(ctx, binary, "--root", root, "delete", "--force", p.cid).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s delete: %w: %s", binary, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// killOrphanShims kills the shims of a container that has no task, and removes
// their bundles.
func (b *Backend) killOrphanShims(ctx context.Context, cid string) error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !b.isShimOf(pid, cid) {
			continue
		}
		bundle, _ := os.Readlink(filepath.Join("/proc", e.Name(), "cwd"))
		shim, err := os.FindProcess(pid)
		if err != nil {
			return err
		}
		// The handle is of the process that has the pid now, which was the shim
		// only if it still is.
		if b.isShimOf(pid, cid) {
			b.log.Warn("killing a shim that containerd has forgotten", "container", cid, "pid", pid)
			err = endProcess(ctx, shim)
		}
		_ = shim.Release()
		if err != nil {
			return fmt.Errorf("kill shim %d: %w", pid, err)
		}
		if err := b.removeBundle(bundle, cid); err != nil {
			return err
		}
	}
	return nil
}

// endProcess kills a process and waits until it is gone.
func endProcess(ctx context.Context, p *os.Process) error {
	err := p.Kill()
	for err == nil {
		if !pause(ctx, 5*time.Millisecond) {
			return ctx.Err()
		}
		if b, rerr := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid)); rerr != nil || bytes.Contains(b, []byte(") Z ")) {
			return nil
		}
		err = p.Signal(killSignal)
	}
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// isShimOf reports whether a process is a shim that our daemon started for a
// container. The container's id is unique to the backend.
func (b *Backend) isShimOf(pid int, cid string) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return false
	}
	args := strings.Split(string(line), "\x00")
	has := func(flag string, match func(string) bool) bool {
		i := slices.Index(args, flag)
		return i >= 0 && i+1 < len(args) && match(args[i+1])
	}
	is := func(want string) func(string) bool { return func(got string) bool { return got == want } }
	return strings.HasPrefix(filepath.Base(args[0]), "containerd-shim") &&
		has("-namespace", is(b.config.Namespace)) && has("-address", is(b.conn.address)) &&
		(has("-id", is(cid)) || has("-workdir", func(dir string) bool { return filepath.Base(dir) == cid }))
}

// bundleInTheWay finds the bundle in the error of a task that cannot be made
// because its bundle exists, "" if that is not the error.
func bundleInTheWay(err error) string {
	if m := bundleExists.FindStringSubmatch(err.Error()); m != nil {
		return m[1]
	}
	return ""
}

var bundleExists = regexp.MustCompile(`mkdir (/\S+): file exists`)

// removeBundle removes a bundle whose shim is gone. Since it is a removal by
// path it makes sure first that the path is what a bundle of ours must be, and
// that nothing is mounted there: a mount would not let its directory go.
func (b *Backend) removeBundle(dir, cid string) error {
	dir = strings.TrimSuffix(dir, " (deleted)")
	if !strings.HasPrefix(filepath.Base(filepath.Dir(filepath.Dir(dir))), "io.containerd.runtime.") ||
		filepath.Base(filepath.Dir(dir)) != b.config.Namespace || filepath.Base(dir) != cid {
		return nil
	}
	if err := os.Remove(filepath.Join(dir, "rootfs")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove bundle: %w", err)
	}
	return os.RemoveAll(dir)
}
