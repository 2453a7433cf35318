package minishim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/containerd/ttrpc"
	"golang.org/x/sys/unix"
)

const (
	envName  = "DAVIT_SHIM"
	envValue = "davit.minishim"
)

// Env is the environment variable that makes a process this shim, if its program
// calls [Main].
const Env = envName + "=" + envValue

// Main must be called first in a program's main. It returns unless the process
// was started to be this shim, with a Unix socket of packets as descriptor 3 on
// which [Assign] is called.
func Main() {
	if os.Getenv(envName) != envValue {
		return
	}
	if err := run(); err != nil && !errors.Is(err, errUnneeded) {
		fmt.Fprintln(os.Stderr, "davit shim:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run serves until the container is gone and Shutdown is called.
func run() error {
	if err := os.Unsetenv(envName); err != nil {
		return err
	}
	// What runc starts becomes our child when runc ends.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become a subreaper: %w", err)
	}
	// Only the task API ends the container. The container inherits ignored signals,
	// but not handled ones.
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGPIPE)

	server, err := ttrpc.NewServer(ttrpc.WithServerHandshaker(ttrpc.UnixSocketRequireSameUser()))
	if err != nil {
		return err
	}
	assigned, l, err := receive(os.NewFile(3, "executor"))
	if err != nil {
		return err
	}
	// The working directory identifies the processes of a container.
	if err := os.Chdir(assigned.Bundle); err != nil {
		return err
	}
	// Whoever removes the container removes the socket first, and looks for such
	// processes then: this one is seen, or sees that it comes too late.
	if _, err := os.Lstat(l.Addr().String()); err != nil {
		return fmt.Errorf("the container is removed: %w", err)
	}
	s := newService(assigned)
	s.register(server)
	served := make(chan error, 1)
	go func() { served <- server.Serve(context.Background(), l) }()
	select {
	case err := <-served:
		return err
	case <-s.shutdown:
	}
	// The answer to Shutdown may be lost; the executor takes the end of the
	// connection for it.
	err = errors.Join(os.Remove(l.Addr().String()), server.Close())
	if end := <-served; !errors.Is(end, ttrpc.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}
