package oci

import (
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/davit-run/davit/executors/internal/quirks"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// CheckTmpfsModes refuses a spec with a tmpfs that would not have the mode which the spec
// asks for. runtime is the path of the OCI runtime, and version asks it for its version.
func CheckTmpfsModes(spec Spec, runtime string, version func() string) error {
	if !strings.Contains(string(spec.JSON), "mode=") {
		return nil // as almost always, but for the file systems that every container has
	}
	var s struct {
		Root   struct{ Path string }
		Mounts []mount
	}
	if err := json.Unmarshal(spec.JSON, &s); err != nil {
		return executor.Errorf(executor.Invalid, "spec: %w", err)
	}
	for i, m := range s.Mounts {
		want, ok := m.mode()
		if !ok || m.Destination == "/dev" || m.hidden(s.Mounts[:i]) { // /dev: every spec asks for it, and no user
			continue
		}
		has, ok := modeIn(s.Root.Path, m.Destination)
		if !ok || has == want {
			continue
		}
		v := version()
		if !quirks.IgnoresTmpfsMode(runtime, v) {
			return nil
		}
		return executor.Errorf(executor.FailedPrecondition, "mount on %s: %s %s ignores the mode %04o, as runc does before 1.1.8, and gives it %04o, the mode of the directory that is there; change that one, remove the directory, or choose another runtime", m.Destination, runtime, v, want, has)
	}
	return nil
}

// mount is what counts of a mount.
type mount struct {
	Destination, Type string
	Options           []string
}

// mode returns the mode that a tmpfs is to have.
func (m mount) mode() (mode uint32, ok bool) {
	for _, o := range m.Options {
		if text, found := strings.CutPrefix(o, "mode="); found && m.Type == "tmpfs" {
			n, err := strconv.ParseUint(text, 8, 12)
			mode, ok = uint32(n), err == nil
		}
	}
	return mode, ok
}

// hidden reports whether a mount is on another one, and not on the root file system.
func (m mount) hidden(before []mount) bool {
	for _, b := range before {
		if strings.HasPrefix(m.Destination, filepath.Clean(b.Destination)+"/") {
			return true
		}
	}
	return false
}

// modeIn returns the mode of a directory in a root file system.
func modeIn(root, path string) (uint32, bool) {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, false
	}
	defer unix.Close(dir)
	fd, err := linux.Openat2(dir, path, &unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	return st.Mode & 0o7777, err == nil
}
