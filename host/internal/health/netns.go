package health

import (
	"context"
	"fmt"
	"net"
	"os"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// namespace opens the network namespace of a process. The caller closes it. The error is
// [ErrOver] if the process is gone.
func (p Process) namespace() (*os.File, error) {
	handle, err := p.open()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOver, err)
	}
	defer handle.Close() // the pid means this process until here
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", p.PID))
	if err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	return ns, nil
}

// dial connects to an address, which has an IP address for its host, from within the
// network namespace of a process. The connection stays there.
func (p Process) dial(ctx context.Context, address string) (net.Conn, error) {
	ns, err := p.namespace()
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	own, err := os.Open(linux.NetNS)
	if err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	defer own.Close()
	connect := func() (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", address) }
	if same(ns, own) {
		return connect()
	}
	var conn net.Conn
	err = linux.KeepNetNS(func() (err error) {
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("entering the network namespace of the container: %w", err)
		}
		conn, err = connect() // on this thread: there is one address
		return err
	})
	return conn, err
}

// same reports whether two files are one.
func same(a, b *os.File) bool {
	x, err := a.Stat()
	if err != nil {
		return false
	}
	y, err := b.Stat()
	return err == nil && os.SameFile(x, y)
}
