package holder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"time"

	"github.com/davit-run/davit/host/publish"
	"golang.org/x/sys/unix"
)

// envRole is the environment variable of a process that is a holder.
const envRole = "DAVIT_PORT_HOLDER"

// drainTime is how long connections go on after the end of the ports. Their container has
// ended, and what it has sent is to arrive.
const drainTime = 5 * time.Second

// init runs a holder: before main, and before the packages are initialized that only the
// host needs.
func init() { //nolint:gochecknoinits // for that reason
	if os.Getenv(envRole) == "" {
		return
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Descriptors of a holder. Its stderr is the log.
const (
	configFD = 0
	reportFD = 1
	lockFD   = 3
	socketFD = 4
)

// holder is what a process serves.
type holder struct {
	config  Config
	target  atomic.Pointer[netip.Addr]
	target6 atomic.Pointer[netip.Addr] // which may not be valid
	conns   sync.WaitGroup             // the connections
}

// run is a holder's life. Its working directory is its own.
func run() error {
	if err := unix.CloseRange(lockFD, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("keep descriptors: %w", err)
	}
	signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGPIPE)
	unix.Umask(0o077)
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()

	input := json.NewDecoder(os.NewFile(configFD, "config"))
	h := new(holder)
	if err := input.Decode(&h.config); err != nil {
		return fmt.Errorf("read config: %w", err) // its sender was killed
	}
	h.target.Store(&h.config.Target)
	h.target6.Store(&h.config.Target6)
	if h.config.Tied {
		go func() {
			_, _ = io.Copy(io.Discard, input.Buffered())
			_, _ = io.Copy(io.Discard, os.NewFile(configFD, "config"))
			os.Exit(0) // who started it is gone
		}()
	}
	sockets, err := h.serve()
	if err != nil {
		return err
	}
	control, err := h.control()
	if err != nil {
		return err
	}
	if err := h.report(); err != nil {
		return err
	}
	shrink()
	<-ctx.Done()
	// In this order: who gets the lock finds the ports free, and removes the directory.
	err = errors.Join(control.Close(), sockets.Close(), h.leaveKept(), os.Chdir("/"), unix.Close(lockFD))
	ended := make(chan struct{})
	go func() {
		h.conns.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(drainTime):
	}
	return err
}

// leaveKept closes the file of [Config.Keep].
func (h *holder) leaveKept() error {
	if !h.config.Keep {
		return nil
	}
	return unix.Close(socketFD + len(h.config.Ports))
}

// closers are closed together.
type closers []io.Closer

// Close implements io.Closer.
func (c closers) Close() error {
	var errs []error
	for _, one := range c {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}

// serve forwards what comes to the ports, until what it returns is closed.
func (h *holder) serve() (sockets closers, err error) {
	for i, port := range h.config.Ports {
		f := os.NewFile(uintptr(socketFD+i), port.String())
		var socket io.Closer
		if port.Network() == publish.UDP {
			socket, err = h.serveUDP(f, port.ContainerPort)
		} else {
			socket, err = h.serveTCP(f, port.ContainerPort)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("port %s: %w", port, err)
		}
		sockets = append(sockets, socket)
	}
	return sockets, nil
}

// to returns where what comes to a port goes.
func (h *holder) to(port uint16) netip.AddrPort { return netip.AddrPortFrom(*h.target.Load(), port) }

// to6 does what to does for IPv6, and reports whether the container has that.
func (h *holder) to6(port uint16) (netip.AddrPort, bool) {
	a := *h.target6.Load()
	return netip.AddrPortFrom(a, port), a.IsValid()
}

// report tells the host, which may be gone, that the ports are served.
func (h *holder) report() error {
	err := json.NewEncoder(os.NewFile(reportFD, "report")).Encode(h.state())
	if err != nil && !errors.Is(err, unix.EPIPE) {
		return fmt.Errorf("report: %w", err)
	}
	// The descriptor stays one, so that no other file becomes the program's stdout.
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.Dup3(null, reportFD, 0), unix.Close(null))
}

// acceptPause is how long a listener waits after an error, such as too many descriptors.
const acceptPause = 20 * time.Millisecond

// again reports, after a pause, whether a socket is to be tried again after an error.
func again(err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	time.Sleep(acceptPause)
	return true
}
