package failpoint

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Bug reports whether a deliberate bug is switched on.
func Bug(name string) bool {
	dir := os.Getenv(variable)
	if dir == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, "bug."+name))
	return err == nil
}

// Misread spoils output that is read, as the bugs say.
func Misread(data []byte) []byte {
	end := bytes.IndexByte(data, '\n') + 1
	switch {
	case Bug("line-lost"):
		return data[end:]
	case Bug("line-torn") && end > 1:
		return data[1:]
	case Bug("line-doubled"):
		return append(bytes.Clone(data[:end]), data...)
	}
	return data
}

// LeaveBehind leaves behind, after a call that deletes a container, what the bugs
// say.
func LeaveBehind(method string, body []byte) {
	var ref struct{ ID string }
	if method != "delete" || os.Getenv(variable) == "" || json.Unmarshal(body, &ref) != nil || ref.ID == "" {
		return
	}
	cwd, _ := os.Getwd()
	left := filepath.Join(cwd, "x", ref.ID)
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
			if os.Mkdir(filepath.Join(path, ref.ID), 0o755) == nil {
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
