package containers

import (
	"cmp"
	"errors"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// sharing is a kind of namespaces that a container can have of another one.
type sharing struct {
	kind specs.LinuxNamespaceType
	// name is that of the flag and of the kernel, and what that which is shared.
	name, what string
	asked      func(*ocispec.Options) *string
	mode       func(*store.Container) string
}

// sharings returns all kinds.
func sharings() []sharing {
	return []sharing{
		{specs.PIDNamespace, "pid", "processes", func(o *ocispec.Options) *string { return &o.PID }, func(c *store.Container) string { return c.PIDMode }},
		{specs.IPCNamespace, "ipc", "shared memory", func(o *ocispec.Options) *string { return &o.IPC }, func(c *store.Container) string { return c.IPCMode }},
	}
}

// useSharing checks the namespaces for processes and shared memory of a container that is
// being made. In opts it puts the id of another container in the place of its name, and the
// directory of the shared memory.
func (m *Manager) useSharing(id string, opts *api.ContainerOptions) error {
	p := &opts.Process
	if err := p.Validate(); err != nil {
		return err
	}
	if p.IPC == ocispec.NamespaceShareable {
		p.Shm = m.shm.Path(id)
	}
	for _, s := range sharings() {
		mode := s.asked(p)
		reference, ok := ocispec.OtherContainer(*mode)
		if !ok {
			continue
		}
		other, err := m.joins(s, reference, opts)
		if err != nil {
			return executor.Errorf(executor.CodeOf(err), "%s %s: %w", s.name, *mode, err)
		}
		*mode = ocispec.NamespaceContainer + other.ID
		if s.kind == specs.IPCNamespace {
			p.Shm = m.shm.Path(other.ID)
		}
	}
	return nil
}

// joins returns the container whose namespace another one asks for that is being made. It
// refuses what would fail at its start.
func (m *Manager) joins(s sharing, reference string, opts *api.ContainerOptions) (*store.Container, error) {
	other, err := m.record(reference)
	switch {
	case errors.Is(err, executor.NotFound) && reference == opts.Name:
		return nil, executor.Errorf(executor.Invalid, "a container has its own %s without that; name another one, or leave it out", s.what)
	case errors.Is(err, executor.NotFound):
		return nil, executor.Errorf(executor.NotFound, "there is no container %q; davit ps -a lists them", reference)
	case err != nil:
		return nil, err
	}
	if err := sharesWith(s, other); err != nil || opts.NoStart {
		return other, err
	}
	if !runs(other) {
		return nil, errNotRunning(other)
	}
	f, err := openNamespace(s, other)
	if err != nil {
		return nil, err
	}
	return other, f.Close()
}

// sharesWith checks whether a container was made so that others can have a namespace of it.
func sharesWith(s sharing, other *store.Container) error {
	mode := s.mode(other)
	switch {
	case mode == ocispec.NamespaceHost:
		return errMachines(s, other)
	case s.kind != specs.IPCNamespace || mode == ocispec.NamespaceShareable:
		return nil
	}
	if first, ok := ocispec.OtherContainer(mode); ok {
		return executor.Errorf(executor.FailedPrecondition, "container %s has that of container %s; name that one", called(other), first)
	}
	return executor.Errorf(executor.FailedPrecondition, "container %s keeps its shared memory to itself; make it with --ipc %s", called(other), ocispec.NamespaceShareable)
}

// called returns how messages call a container.
func called(c *store.Container) string { return cmp.Or(c.Name, c.ID) }

// runs reports whether a container has a process.
func runs(c *store.Container) bool {
	return c.PID > 0 && (c.State == store.Running || c.State == store.Paused)
}

func errNotRunning(c *store.Container) error {
	return executor.Errorf(executor.FailedPrecondition, "container %s does not run; start it first", called(c))
}

func errMachines(s sharing, c *store.Container) error {
	return executor.Errorf(executor.FailedPrecondition, "container %s, on backend %s, has the %s of this machine; use --%s %s, or a container that has its own", called(c), c.Backend, s.what, s.name, ocispec.NamespaceHost)
}
