package containers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// namespace is one of another container, which is open for the time of a start.
type namespace struct {
	sharing
	*os.File
	of string // the id of the other container
}

// entered are namespaces of other containers.
type entered []namespace

// close closes the namespaces. Whoever is in one by then keeps it.
func (e entered) close() {
	for _, ns := range e {
		_ = ns.Close()
	}
}

// missed returns the first of the namespaces in which a process is not, or nil.
func (e entered) missed(pid int) *namespace {
	for i, ns := range e {
		if same, err := sameDir(ns.File, fmt.Sprintf("/proc/%d/ns/%s", pid, ns.name)); err == nil && !same {
			return &e[i]
		}
	}
	return nil
}

// confirm checks that a container that was started is in the namespaces that were opened for
// it: its runtime may have passed over their paths. One that has ended is not looked at.
func (m *Manager) confirm(ctx context.Context, session *backends.Session, c *store.Container, status executor.Status, open entered) error {
	if len(open) == 0 || status.State.Ended() {
		return nil
	}
	var missed *namespace
	process, err := linux.OpenProcess(status.PID, func() error {
		if missed = open.missed(status.PID); missed == nil {
			return nil
		}
		now, err := m.restore(ctx, session, c) // the pid may be that of somebody else by now
		if err == nil && (now.State.Ended() || now.PID != status.PID) {
			missed = nil
		}
		return err
	})
	if err == nil {
		err = process.Close()
	}
	if errors.Is(err, unix.ESRCH) || errors.Is(err, executor.NotFound) || missed == nil {
		return nil // it has ended
	}
	return errors.Join(executor.Errorf(executor.Unsupported, "runtime %q of backend %s has not given it the %s of container %s, though it was asked to; choose another runtime", c.Runtime.Name, c.Backend, missed.what, missed.of), err)
}

// enter opens the namespaces of other containers that c has, and returns the spec with paths
// by which its runtime finds them: those of descriptors of this process. If this process
// ends meanwhile there is nothing at them, so that the start fails and is tried again by the
// next host; a pid in the path could be that of somebody else by then.
func (m *Manager) enter(ctx context.Context, c *store.Container, spec json.RawMessage) (_ json.RawMessage, open entered, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.startTimeout(c))
	defer cancel()
	paths := map[specs.LinuxNamespaceType]string{}
	for _, s := range sharings() {
		id, ok := ocispec.OtherContainer(s.mode(c))
		if !ok {
			continue
		}
		f, err := m.enterOne(ctx, s, id)
		if err != nil {
			open.close()
			return nil, nil, executor.Errorf(executor.CodeOf(err), "%s of another container: %w", s.what, err)
		}
		open = append(open, namespace{s, f, id})
		paths[s.kind] = fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd())
	}
	if len(paths) > 0 {
		spec, err = ocispec.Enter(spec, paths)
	}
	return spec, open, err
}

// enterOne opens a namespace of a container that runs. Its backend says so while its pid can
// mean no other process.
func (m *Manager) enterOne(ctx context.Context, s sharing, id string) (*os.File, error) {
	other, err := m.record(id)
	if errors.Is(err, executor.NotFound) {
		return nil, executor.Errorf(executor.FailedPrecondition, "container %s was removed; make this one again, too", id)
	}
	if err != nil {
		return nil, err
	}
	if !runs(other) {
		return nil, errNotRunning(other)
	}
	session, err := m.backends.Session(ctx, other.Backend)
	if err != nil {
		return nil, err
	}
	process, err := linux.OpenProcess(other.PID, func() error {
		status, err := m.restore(ctx, session, other)
		if errors.Is(err, executor.NotFound) || err == nil && (status.State.Ended() || status.PID != other.PID) {
			return errNotRunning(other)
		}
		return err
	})
	if errors.Is(err, unix.ESRCH) {
		return nil, errNotRunning(other)
	}
	if err != nil {
		return nil, err
	}
	defer process.Close()
	f, err := openNamespace(s, other)
	if err != nil {
		return nil, err
	}
	if process.Signal(0) != nil {
		_ = f.Close()
		return nil, errNotRunning(other)
	}
	return f, nil
}

// openNamespace opens a namespace of the process that has a container's pid. It refuses that
// of this process: a backend may have given the container none.
func openNamespace(s sharing, c *store.Container) (*os.File, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", c.PID, s.name))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return nil, errNotRunning(c)
	}
	if err != nil {
		return nil, executor.Errorf(executor.FailedPrecondition, "its namespace cannot be opened: %w", err)
	}
	own, err := sameDir(f, "/proc/self/ns/"+s.name)
	if err == nil && own {
		err = errMachines(s, c)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}
