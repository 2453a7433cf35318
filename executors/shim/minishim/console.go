package minishim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/capture"
	"golang.org/x/sys/unix"
)

// console is the terminal of a process, whose other end the runtime sends to a
// socket.
type console struct {
	path   string
	l      *net.UnixListener
	master *os.File // nil before it was received
}

// listenConsole creates the socket. Its name is relative to the bundle, in which shim
// and runtime work: a socket's name may have no more than 107 bytes.
func listenConsole(name string) (*console, error) {
	path := name + ".sock"
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	return &console{path: path, l: l}, nil
}

// receive receives the terminal from the runtime.
func (c *console) receive(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { _ = c.l.Close() })()
	conn, err := c.l.AcceptUnix()
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	_, f, err := receiveFile(conn)
	if err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	defer f.Close()
	// A descriptor that does not block is left to the poller: no thread waits in a
	// read, and a close ends the read.
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return err
	}
	c.master = os.NewFile(uintptr(fd), "terminal")
	return c.l.Close()
}

// resize sets the size of the terminal. The kernel notifies the processes there.
func (c *console) resize(width, height uint16) error {
	raw, err := c.master.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: height, Col: width})
	})
	return errors.Join(err, failed)
}

func (c *console) close() {
	_ = c.l.Close()
	if c.master != nil {
		_ = c.master.Close()
	}
}

// takeConsole takes over the terminal of a new process, and copies from and to it.
func (o *streams) takeConsole(ctx context.Context) error {
	if o.console == nil {
		return nil
	}
	if err := o.console.receive(ctx); err != nil {
		return err
	}
	log, err := capture.OpenLog(o.stdout)
	if err != nil {
		return err
	}
	if o.copier, err = capture.Start(capture.Source{From: o.console.master, To: log}); err != nil || none(o.stdin) {
		return err
	}
	return o.copyInput(o.console.master, func() error {
		o.copier.Close() // has the terminal, too
		return o.console.master.Close()
	})
}

// resize sets the size of the terminal.
func (o *streams) resize(width, height uint16) error {
	if o.console == nil {
		return fmt.Errorf("the process has no terminal: %w", errdefs.ErrFailedPrecondition)
	}
	return o.console.resize(width, height)
}
