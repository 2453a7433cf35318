package usernet

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/davit-run/davit/host/internal/usernet/stage"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Pin binds a new network namespace to a file that exists. It belongs to a user namespace of its
// own, in which this process may do everything. It needs CAP_SYS_ADMIN.
func Pin(path string) error {
	input, tie, err := os.Pipe()
	if err != nil {
		return err
	}
	defer tie.Close()
	defer input.Close()
	// It waits for a config until the namespace is bound.
	cmd := stage.Command("/", "namespace", stage.Files{Input: input})
	cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWUSER | unix.CLONE_NEWNET
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
	cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("user namespace: %w", err)
	}
	err = os.NewSyscallError("mount", unix.Mount(fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid), path, "", unix.MS_BIND, ""))
	_ = tie.Close()
	_ = cmd.Wait()
	return err
}

// MayConfigure reports whether this process may change the network of the machine, and so that of
// a network namespace that belongs to the machine's user namespace: it has CAP_NET_ADMIN.
func MayConfigure() bool { return may(unix.CAP_NET_ADMIN) }

// MayPin reports whether this process may do what Pin does: it has CAP_SYS_ADMIN.
func MayPin() bool { return may(unix.CAP_SYS_ADMIN) }

func may(capability int) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	err := unix.Capget(&header, &data[0])
	return err == nil && data[0].Effective&(1<<capability) != 0
}

// ownerOf opens the user namespace to which a network namespace belongs, or returns nil if that
// is this process's own.
func ownerOf(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fd, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_USERNS)
	if err != nil {
		return nil, fmt.Errorf("owner of %s: %w", path, err)
	}
	owner := os.NewFile(uintptr(fd), "user namespace")
	var is, own unix.Stat_t
	err = errors.Join(unix.Fstat(fd, &is), unix.Stat("/proc/self/ns/user", &own))
	if err != nil || is.Ino == own.Ino && is.Dev == own.Dev {
		_ = owner.Close()
		return nil, err
	}
	return owner, nil
}

// configured reports whether a helper has done in a network namespace what it does at first.
func configured(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	h, err := netlink.NewHandleAt(netns.NsHandle(f.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return false, err
	}
	defer h.Close()
	l, err := h.LinkByName(link)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	routes, err := h.RouteList(l, unix.AF_INET)
	for _, r := range routes {
		if r.Gw != nil && r.Gw.String() == gateway {
			return true, nil
		}
	}
	return false, err
}
