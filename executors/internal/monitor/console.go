package monitor

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// drainTimeout is how long a terminal is read after the last process has gone.
// All that was written is there by then; a process that is not ours may hold it.
const drainTimeout = 2 * time.Second

// console is the monitor's side of a terminal.
type console struct {
	master *os.File
	done   chan struct{} // closed when all output was copied
}

// openConsole makes a terminal and copies its output to the job's file.
func openConsole(job Job) (*console, *os.File, error) {
	out, err := openOutput("stdout", job.Stdout)
	if err != nil {
		return nil, nil, err
	}
	master, tty, err := openTerminal(*job.Terminal)
	if err != nil {
		_ = out.Close()
		return nil, nil, err
	}
	if u := job.User; u != nil {
		if err := tty.Chown(int(u.UID), -1); err != nil {
			_, _, _ = out.Close(), master.Close(), tty.Close()
			return nil, nil, err
		}
	}
	c := &console{master: master, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		defer out.Close()
		_, _ = io.Copy(out, master) // ends with EIO when nobody has the terminal
	}()
	return c, tty, nil
}

func openTerminal(size Terminal) (master, tty *os.File, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	master = os.NewFile(uintptr(fd), "ptmx")
	if err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err == nil && size != (Terminal{}) {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: size.Rows, Col: size.Cols})
	}
	var n uint32
	if err == nil {
		n, err = unix.IoctlGetUint32(fd, unix.TIOCGPTN)
	}
	if err == nil {
		tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		_ = master.Close()
	}
	return master, tty, err
}

// drain waits until all output of the terminal was copied.
func (c *console) drain() {
	if c == nil {
		return
	}
	_ = c.master.SetReadDeadline(time.Now().Add(drainTimeout))
	<-c.done
}
