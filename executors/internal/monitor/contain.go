package monitor

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// Contain says what a workload has of its own. It needs CAP_SYS_ADMIN.
type Contain struct {
	// Hostname, unless empty, is the host name in a UTS namespace of the workload's own.
	Hostname string
	// Mounts are made in this order, in a mount namespace of the workload's own.
	Mounts []Mount
	// Masked are files and directories that look empty, and ReadOnly those that cannot
	// be written. What does not exist is passed over.
	Masked, ReadOnly []string
	// ReadOnlyRoot makes the root file system read-only at the end. It is for a Root that is
	// not this machine's.
	ReadOnlyRoot bool
}

// Mount is a mount in the workload's root, with the flags of mount(2).
type Mount struct {
	Type, Source, Target string
	Flags                uintptr
	// Propagation is a flag that is set last, 0 for none.
	Propagation uintptr
	Data        string
	// Devices makes the usual devices in it.
	Devices bool
}

// contain gives this thread, and so what it starts, the namespaces that a job asks for.
// They end with the last process in them, and their mounts with them.
func (job *Job) contain() error {
	c := job.Contain
	if c == nil {
		return nil
	}
	flags := unix.CLONE_NEWNS
	if c.Hostname != "" {
		flags |= unix.CLONE_NEWUTS
	}
	if err := unix.Unshare(flags); err != nil {
		return executor.Errorf(executor.FailedPrecondition, "namespaces: %w", err)
	}
	if c.Hostname != "" {
		if err := unix.Sethostname([]byte(c.Hostname)); err != nil {
			return executor.Errorf(executor.FailedPrecondition, "host name: %w", err)
		}
	}
	// Unmounts of the machine still arrive, so that nothing is kept busy here.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return executor.Errorf(executor.FailedPrecondition, "mount namespace: %w", err)
	}
	if job.rooted() {
		// The root file system becomes a mount, so that its flags are its own.
		if err := unix.Mount(job.Root, job.Root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return executor.Errorf(executor.FailedPrecondition, "mount of %s: %w", job.Root, err)
		}
	}
	r, err := openRoot(cmp.Or(job.Root, "/"))
	if err != nil {
		return err
	}
	defer r.close()
	for _, m := range c.Mounts {
		if err := r.mount(m); err != nil {
			return executor.Errorf(executor.FailedPrecondition, "mount at %s: %w", m.Target, err)
		}
	}
	for _, p := range c.ReadOnly {
		if err := r.readOnly(p); err != nil {
			return executor.Errorf(executor.FailedPrecondition, "make %s read-only: %w", p, err)
		}
	}
	for _, p := range c.Masked {
		if err := r.mask(p); err != nil {
			return executor.Errorf(executor.FailedPrecondition, "mask %s: %w", p, err)
		}
	}
	if c.ReadOnlyRoot {
		if err := remount(job.Root, unix.MS_RDONLY); err != nil {
			return executor.Errorf(executor.FailedPrecondition, "make %s read-only: %w", job.Root, err)
		}
	}
	return nil
}

// rootDir is a root file system, in which paths mean what they mean to a process within.
type rootDir struct{ fd int }

func openRoot(dir string) (rootDir, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return rootDir{}, executor.Errorf(executor.Invalid, "root.path %q: %w", dir, err)
	}
	return rootDir{fd}, nil
}

func (r rootDir) close() { _ = unix.Close(r.fd) }

// open opens what is at a path, for use with at.
func (r rootDir) open(name string) (int, error) {
	return linux.Openat2(r.fd, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS})
}

// at returns a path that leads to what a descriptor is open on, and nowhere else.
func at(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

func isDir(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR
}

// make makes a directory, or an empty file, and the directories above it. What exists
// stays. A link that leads nowhere is followed.
func (r rootDir) make(name string, dir bool) error {
	for range 16 {
		err := r.makeAt(path.Clean("/"+name), dir)
		if !errors.Is(err, unix.EEXIST) {
			return err
		}
		if name, err = r.followed(path.Clean("/" + name)); err != nil {
			return err
		}
	}
	return unix.ELOOP
}

func (r rootDir) makeAt(name string, dir bool) error {
	if fd, err := r.open(name); !errors.Is(err, unix.ENOENT) {
		_ = unix.Close(fd)
		return err
	}
	if err := r.make(path.Dir(name), true); err != nil {
		return err
	}
	parent, err := r.open(path.Dir(name))
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	if dir {
		return unix.Mkdirat(parent, path.Base(name), 0o755)
	}
	return unix.Mknodat(parent, path.Base(name), unix.S_IFREG|0o644, 0)
}

// followed returns where a link leads.
func (r rootDir) followed(name string) (string, error) {
	parent, err := r.open(path.Dir(name))
	if err != nil {
		return "", err
	}
	defer unix.Close(parent)
	b := make([]byte, 4096)
	n, err := unix.Readlinkat(parent, path.Base(name), b)
	if err != nil {
		return "", err
	}
	if to := string(b[:n]); strings.HasPrefix(to, "/") {
		return to, nil
	}
	return path.Join(path.Dir(name), string(b[:n])), nil
}
