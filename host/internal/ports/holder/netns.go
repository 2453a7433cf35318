package holder

import (
	"os"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// within calls fn, which connects to the container, where that is reached.
func (h *holder) within(fn func() error) error {
	if h.config.NetNS == "" {
		return fn()
	}
	return linux.KeepNetNS(func() error {
		f, err := os.Open(h.config.NetNS)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("setns", err)
		}
		return fn()
	})
}
