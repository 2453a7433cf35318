package monitor

import (
	"errors"
	"os"
	"path"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// NewNetNS is the [Job.NetNS] of a network namespace that is made for the workload, with a
// loopback and nothing else.
const NewNetNS = "new"

// enterNetwork takes this thread, and so what it starts, into the network namespace that a job
// asks for. It needs CAP_SYS_ADMIN.
func (job *Job) enterNetwork() error {
	switch job.NetNS {
	case "":
		return nil
	case NewNetNS:
		if err := newNetwork(); err != nil {
			return err
		}
	default:
		if err := joinNetwork(job.NetNS); err != nil {
			return err
		}
	}
	for name, value := range job.Sysctls {
		if err := setSysctl(name, value); err != nil {
			return err
		}
	}
	return nil
}

// joinNetwork takes this thread into the network namespace at a path.
func joinNetwork(name string) error {
	fail := func(code executor.Code, format string, args ...any) error {
		return executor.Errorf(code, "network namespace %s: "+format, append([]any{name}, args...)...)
	}
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return fail(executor.FailedPrecondition, "%w", err)
	}
	defer unix.Close(fd)
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return fail(executor.FailedPrecondition, "%w", err)
	}
	if fs.Type != unix.NSFS_MAGIC {
		return fail(executor.FailedPrecondition, "it is no namespace; it may be one in another mount namespace than that of the executor, or before a restart of the machine")
	}
	err = unix.Setns(fd, unix.CLONE_NEWNET)
	switch {
	case errors.Is(err, unix.EINVAL):
		return fail(executor.Invalid, "it is a namespace of another kind")
	case err != nil:
		return lacking(fail(executor.FailedPrecondition, "%w", err))
	}
	return nil
}

// newNetwork takes this thread into a new network namespace, whose loopback is up.
func newNetwork() error {
	fail := func(err error) error {
		return lacking(executor.Errorf(executor.FailedPrecondition, "network namespace: %w", err))
	}
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fail(os.NewSyscallError("unshare", err))
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fail(os.NewSyscallError("socket", err))
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return fail(err)
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return fail(os.NewSyscallError("loopback", err))
	}
	return nil
}

// lacking adds to an error of missing rights which they are.
func lacking(err error) error {
	if errors.Is(err, unix.EPERM) {
		return executor.Errorf(executor.CodeOf(err), "%w; the executor needs CAP_SYS_ADMIN and CAP_NET_ADMIN for networks, and --network host works without", err)
	}
	return err
}

// setSysctl sets a sysctl of this thread's network namespace.
func setSysctl(name, value string) error {
	file := path.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))
	if !strings.HasPrefix(file, "/proc/sys/net/") {
		return executor.Errorf(executor.Invalid, "sysctl %q is not a network namespace's", name)
	}
	if err := os.WriteFile(file, []byte(value), 0); err != nil {
		return executor.Errorf(executor.FailedPrecondition, "sysctl %s=%s: %w", name, value, err)
	}
	return nil
}
