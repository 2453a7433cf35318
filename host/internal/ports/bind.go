package ports

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/davit-run/davit/host/publish"
	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// sockets are bound ports.
type sockets struct {
	ports []publish.Port
	files []*os.File // one for each port
}

func (s *sockets) close() {
	for _, f := range s.files {
		_ = f.Close()
	}
}

// bind binds ports. Those that are left open become the ones of before, if they are free.
func (m *Manager) bind(ctx context.Context, asked, before []publish.Port) (*sockets, error) {
	s := new(sockets)
	for i, port := range asked {
		var had uint16
		if len(before) == len(asked) {
			had = before[i].HostPort
		}
		f, n, err := bindOne(ctx, port, had)
		if err != nil {
			s.close()
			return nil, m.explain(port, n, err)
		}
		port.HostPort, port.HostLast = n, 0
		s.ports, s.files = append(s.ports, port), append(s.files, f)
	}
	return s, nil
}

// bindOne binds one port, and returns which. With an error, that is the last one that was
// tried.
func bindOne(ctx context.Context, p publish.Port, had uint16) (f *os.File, port uint16, err error) {
	first, last := int(p.HostPort), int(max(p.HostPort, p.HostLast))
	if p.Open() && had != 0 {
		if f, port, err = listen(ctx, p, int(had)); err == nil {
			return f, port, nil
		}
	}
	for n := first; n <= last; n++ {
		if f, port, err = listen(ctx, p, n); err == nil || !errors.Is(err, unix.EADDRINUSE) {
			return f, port, err
		}
	}
	return nil, uint16(last), err
}

// listen binds a port, 0 for one that is free, and lets clients wait there.
func listen(ctx context.Context, p publish.Port, n int) (*os.File, uint16, error) {
	network, host := p.Network(), ""
	if p.HostIP.IsValid() {
		host = p.HostIP.String()
		network += "6"
		if p.HostIP.Is4() {
			network = p.Network() + "4"
		}
	}
	address := net.JoinHostPort(host, fmt.Sprint(n))
	var lc net.ListenConfig
	var socket interface {
		File() (*os.File, error)
		Close() error
	}
	var bound net.Addr
	if p.Network() == publish.UDP {
		conn, err := lc.ListenPacket(ctx, network, address)
		if err != nil {
			return nil, uint16(n), err
		}
		socket, bound = conn.(*net.UDPConn), conn.LocalAddr()
	} else {
		l, err := lc.Listen(ctx, network, address)
		if err != nil {
			return nil, uint16(n), err
		}
		socket, bound = l.(*net.TCPListener), l.Addr()
	}
	defer socket.Close() // the file is another descriptor of it
	f, err := socket.File()
	if err != nil {
		return nil, uint16(n), err
	}
	at, err := netip.ParseAddrPort(bound.String())
	return f, at.Port(), err
}

// explain says why a port cannot be bound. n is the one that was tried last.
func (m *Manager) explain(p publish.Port, n uint16, err error) error {
	code, why := executor.Unavailable, err.Error()
	if errno, ok := errors.AsType[unix.Errno](err); ok {
		why = errno.Error()
	}
	tried := p
	tried.HostPort, tried.HostLast = n, 0
	switch {
	case errors.Is(err, unix.EADDRINUSE) && p.HostLast != 0:
		code, why = executor.FailedPrecondition, "none of them is free"
	case errors.Is(err, unix.EADDRINUSE) && p.HostPort == 0:
		code, why = executor.FailedPrecondition, "no port is free"
	case errors.Is(err, unix.EADDRINUSE):
		code, why = executor.FailedPrecondition, "it is in use"+m.user(tried)+"; choose another port, or end what uses it"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		code, why = executor.Invalid, "the machine does not have this address"
	case errors.Is(err, unix.EAFNOSUPPORT):
		code, why = executor.Invalid, "the machine does not have IPv6"
	case errors.Is(err, unix.EACCES):
		code, why = executor.FailedPrecondition, "the host's user may not use it; low ports need CAP_NET_BIND_SERVICE"
	case errors.Is(err, unix.EMFILE):
		why = "the host has too many files open"
	}
	return executor.Errorf(code, "port %s of the machine cannot be published: %s", p, why)
}
