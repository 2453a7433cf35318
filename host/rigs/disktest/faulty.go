package disktest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

// Faulty is a file system that passes everything on to a directory, until it is
// asked to fail, as a disk that breaks does, whoever has files open. The program
// faultyfs serves it.
type Faulty struct {
	program *exec.Cmd
	orders  io.WriteCloser
	answers *bufio.Reader
}

// MountFaulty mounts what backing holds on a directory, which it makes.
func MountFaulty(dir, backing string) (*Faulty, error) {
	for _, d := range []string{dir, backing} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	_, file, _, _ := runtime.Caller(0)
	f := &Faulty{program: exec.Command("go", "run", "-C", filepath.Join(filepath.Dir(file), "faultyfs"), ".", dir, backing)}
	f.program.Stderr = os.Stderr
	answers, err := f.program.StdoutPipe()
	if err != nil {
		return nil, err
	}
	f.answers = bufio.NewReader(answers)
	if f.orders, err = f.program.StdinPipe(); err != nil {
		return nil, err
	}
	if err := f.program.Start(); err != nil {
		return nil, err
	}
	if err := f.answered(); err != nil {
		return nil, errors.Join(fmt.Errorf("mounting a faulty file system on %s: %w", dir, err), f.Unmount())
	}
	return f, nil
}

// Fail makes what a disk without room ([unix.ENOSPC]) or a read-only one
// ([unix.EROFS]) cannot do fail from now on; 0 ends that.
func (f *Faulty) Fail(errno syscall.Errno) error {
	if _, err := fmt.Fprintln(f.orders, int(errno)); err != nil {
		return err
	}
	return f.answered()
}

func (f *Faulty) answered() error {
	_, err := f.answers.ReadString('\n')
	return err
}

// Unmount ends the file system, in use or not.
func (f *Faulty) Unmount() error {
	return errors.Join(f.orders.Close(), f.program.Wait())
}
