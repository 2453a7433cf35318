package monitor

import (
	"fmt"
	"os"

	"github.com/davit-run/davit/executors/internal/capture"
	"golang.org/x/sys/unix"
)

// openConsole opens a terminal, whose output goes to the job's stdout.
func openConsole(job Job) (files []*os.File, sources []capture.Source, err error) {
	log, err := openOutput(job, 0)
	if err != nil {
		return nil, nil, err
	}
	master, tty, err := openTerminal(*job.Terminal)
	if err != nil {
		log.Close()
		return nil, nil, fmt.Errorf("make terminal: %w", err)
	}
	if u := job.User; u != nil {
		err = tty.Chown(int(u.UID), -1)
	}
	return []*os.File{tty, tty, tty}, []capture.Source{{From: master, To: log}}, err
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
