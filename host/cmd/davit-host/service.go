package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/trust"
	"github.com/hashicorp/go-hclog"
)

// service is what systemd wants to know of a unit with Type=notify, see sd_notify(3). A host
// that systemd has not started notifies nobody.
type service struct {
	socket string // of systemd; empty if there is none
	logger hclog.Logger
	// every is how often the watchdog wants to hear that the host works; 0 is never.
	every time.Duration
}

// newService takes what systemd has put into the environment, so that no other process takes
// itself for the service.
func newService(logger hclog.Logger) *service {
	s := &service{socket: os.Getenv("NOTIFY_SOCKET"), logger: logger}
	var err error
	if s.every, err = daemon.SdWatchdogEnabled(true); err != nil {
		logger.Warn("the watchdog of systemd is not served", "error", err)
	}
	os.Unsetenv("NOTIFY_SOCKET")
	return s
}

func (s *service) ready()    { s.notify(daemon.SdNotifyReady) }
func (s *service) stopping() { s.notify(daemon.SdNotifyStopping) }

// reloading says that a reload begins. It has ended with ready.
func (s *service) reloading() {
	s.notify(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
}

func (s *service) notify(state string) {
	if s.socket == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.socket, Net: "unixgram"})
	if err == nil {
		_, err = conn.Write([]byte(state))
		conn.Close()
	}
	if err != nil {
		s.logger.Warn("systemd was not notified", "state", state, "error", err)
	}
}

// watch tells the watchdog again and again that the host works, until ctx ends: that its API
// answers on the socket, and its state can be read. systemd ends a host that is not said to
// work for the time of WatchdogSec, and starts the next; containers run on.
func (s *service) watch(ctx context.Context, socket string) {
	if s.every <= 0 {
		return
	}
	pause := s.every / 4
	for {
		asked, cancel := context.WithTimeout(ctx, s.every/2)
		_, err := api.NewClient(socket).Backends(asked)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.logger.Error("the host does not work, and is not said to", "error", err)
		default:
			s.notify(daemon.SdNotifyWatchdog)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// listen returns the socket of the API: the one that systemd has made for the host, or else a
// new one.
func listen(socket api.Socket, logger hclog.Logger) (net.Listener, error) {
	files := activation.Files(true)
	if len(files) == 0 {
		return api.Listen(socket)
	}
	if len(files) > 1 {
		return nil, executor.Errorf(executor.FailedPrecondition, "systemd has passed %d sockets, and the host has one API; leave one ListenStream in davit.socket", len(files))
	}
	l, err := net.FileListener(files[0])
	files[0].Close()
	if err != nil {
		return nil, fmt.Errorf("the socket that systemd has passed: %w", err)
	}
	path := l.Addr().String()
	if l.Addr().Network() != "unix" {
		l.Close()
		return nil, executor.Errorf(executor.FailedPrecondition, "the socket that systemd has passed, %s, is not a Unix socket; everybody could use the host", path)
	}
	if err := letThrough(path, socket.RunDir); err != nil {
		l.Close()
		return nil, fmt.Errorf("the socket that systemd has passed: %w", err)
	}
	if path != socket.Path {
		logger.Warn("systemd has made the API's socket elsewhere than the config says", "socket", path, "config", socket.Path)
	}
	if socket.Group != "" {
		logger.Warn("systemd has made the API's socket, so that SocketGroup= and SocketMode= of its unit say who may connect, and not the config", "group", socket.Group)
	}
	return l, nil
}

// letThrough lets those who may connect to a socket through the run directory, if it is there.
func letThrough(socket, runDir string) error {
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm()&0o022 == 0 || filepath.Dir(socket) != filepath.Clean(runDir) {
		return err
	}
	return trust.Passable(runDir)
}
