//go:build failpoint

package failpoint

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Leave leaves behind, after the deletion of a container, what the bugs that are
// switched on say.
func Leave(id string) {
	cwd, _ := os.Getwd()
	left := filepath.Join(cwd, "x", id)
	if Bug("leftover-process") {
		cmd := exec.Command("sleep", "600")
		cmd.Dir = cwd
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if cmd.Start() == nil {
			go func() { _ = cmd.Wait() }()
		}
	}
	if Bug("leftover-mount") {
		_ = os.MkdirAll(left, 0o700)
		_ = syscall.Mount("storm", left, "tmpfs", 0, "size=4k")
	}
	if Bug("leftover-cgroup") {
		for _, path := range []string{"/sys/fs/cgroup/pids", "/sys/fs/cgroup"} {
			if os.Mkdir(filepath.Join(path, id), 0o755) == nil {
				break
			}
		}
	}
	if Bug("leftover-bundle") {
		_ = os.MkdirAll(left, 0o700)
	}
	if Bug("leftover-socket") {
		if l, err := net.ListenUnix("unix", &net.UnixAddr{Name: left + ".sock", Net: "unix"}); err == nil {
			l.SetUnlinkOnClose(false)
			_ = l.Close()
		}
	}
	if Bug("leak-fd") {
		_, _ = syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	}
	if Bug("leak-goroutine") {
		go func() { select {} }()
	}
}
