package monitor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// ErrNoInput is the error of a CloseInput of a workload without an input.
var ErrNoInput = errors.New("the workload has no input")

// CloseInput ends the input of a workload once nobody else has it open for writing. It may
// be repeated. The error is [executor.FailedPrecondition] if the workload does not run, and
// ErrNoInput if it has none.
func CloseInput(dir string) error {
	return withRunning(dir, func(dir string, _ finding) error {
		f, err := os.OpenFile(path.Join(dir, inputFile), os.O_WRONLY|unix.O_NONBLOCK, 0)
		switch {
		case errors.Is(err, os.ErrNotExist):
			return ErrNoInput
		case errors.Is(err, unix.ENXIO): // nobody has it open any more
			return errNotRunning()
		case err != nil:
			return err
		}
		defer f.Close()
		_, err = f.Write([]byte{0})
		return err
	})
}

// withRunning calls fn with what is known of a workload that runs. Meanwhile another one
// may begin at dir.
func withRunning(dir string, fn func(dir string, f finding) error) error {
	dir, release, err := hold(dir)
	if errors.Is(err, os.ErrNotExist) {
		return errNotRunning()
	}
	if err != nil {
		return err
	}
	defer release()
	f, err := look(dir)
	if err != nil {
		return err
	}
	if f.Phase != Running {
		return errNotRunning()
	}
	return fn(dir, f)
}

// openInput opens what the workload reads. Until CloseInput is called, the FIFO has a
// writer in this process, so that others can come and go.
func openInput(job Job) (*os.File, error) {
	if job.Stdin.Kind == executor.StreamNull {
		return os.OpenFile(os.DevNull, os.O_RDWR, 0)
	}
	fd, err := unix.Open(job.Stdin.Path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("stdin: %w", err)
	}
	keep, err := os.OpenFile(job.Stdin.Path, os.O_WRONLY|unix.O_NONBLOCK, 0)
	if err == nil { // a program expects to wait for its input
		err = errors.Join(unix.SetNonblock(fd, false), unix.Mkfifo(inputFile, 0o600))
	}
	var orders *os.File
	if err == nil {
		orders, err = os.OpenFile(inputFile, os.O_RDWR|unix.O_NONBLOCK, 0)
	}
	in := os.NewFile(uintptr(fd), "stdin")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("stdin: %w", err), in.Close(), keep.Close()) // nil has an answer to that
	}
	go func() { // for as long as this process lives
		for one := make([]byte, 1); ; _ = keep.Close() {
			if _, err := orders.Read(one); err != nil {
				return
			}
		}
	}()
	return in, nil
}

// toTerminal copies the input to a terminal, and hangs up at its end.
func (w *workload) toTerminal(job Job, master *os.File) error {
	if job.Stdin.Kind == executor.StreamNull {
		return nil
	}
	in, err := openInput(job)
	if err != nil {
		return err
	}
	fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return errors.Join(err, in.Close())
	}
	own := os.NewFile(uintptr(fd), "ptmx")
	go func() { // for as long as this process lives
		_, _ = io.Copy(own, in)
		w.copier.Close()
		_ = own.Close()
	}()
	return nil
}
