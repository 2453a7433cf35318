package monitor

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// ErrNoTerminal is the error of a Resize of a workload without a terminal.
var ErrNoTerminal = errors.New("the workload has no terminal")

// Resize sets the size of a workload's terminal. The kernel notifies the processes there.
// The error is [executor.FailedPrecondition] if the workload does not run, and
// ErrNoTerminal if it has none.
func Resize(dir string, size Terminal) error {
	return withRunning(dir, func(dir string, f finding) error {
		if f.Terminal == "" {
			return ErrNoTerminal
		}
		tty, err := os.OpenFile(f.Terminal, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
		if err != nil {
			return errNotRunning() // it has hung up
		}
		defer tty.Close()
		// The terminal may be another's by now, if the workload has ended.
		if f, err = look(dir); err != nil || f.Phase != Running {
			return errNotRunning()
		}
		return unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: size.Rows, Col: size.Cols})
	})
}
