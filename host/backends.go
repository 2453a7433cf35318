package host

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/supervisor"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// Backends lists the backends, by name: those of the config, and those that are not in it
// any more and have containers.
func (h *Host) Backends() ([]api.BackendInfo, error) {
	running, err := h.containers.Running()
	if err != nil {
		return nil, err
	}
	var infos []api.BackendInfo
	for name, b := range h.backends.All() {
		info := viewBackend(b.Info())
		info.Default, info.Containers = name == h.backends.Default(), running[name]
		info.ImageStore = b.Config().ImageStore
		infos = append(infos, info)
	}
	for name, n := range running {
		if h.backends.Has(name) {
			continue
		}
		infos = append(infos, api.BackendInfo{Name: name, State: api.BackendRemoved, Containers: n, LastError: backends.Removed(name)})
	}
	slices.SortFunc(infos, func(a, b api.BackendInfo) int { return strings.Compare(a.Name, b.Name) })
	return infos, nil
}

// viewBackend returns what users see of a backend.
func viewBackend(i supervisor.Info) api.BackendInfo {
	return api.BackendInfo{
		Name: i.Name, State: api.BackendState(i.State), PID: i.PID, Cgroup: i.Cgroup,
		Description: i.Description, Capabilities: i.Capabilities,
		Starts: i.Starts, Attaches: i.Attaches, Failures: i.Failures,
		LastError: i.LastError, LastErrorAt: i.LastErrorAt, NextTry: i.NextTry, Since: i.Since,
	}
}

// WaitBackend waits until a backend is ready. If ctx ends before, or the backend has
// failed too often, the error says what is wrong with it.
func (h *Host) WaitBackend(ctx context.Context, name string) error {
	b, err := h.backends.Pick(name)
	if err != nil {
		return err
	}
	_, err = b.Session(ctx)
	return err
}

// RestartBackend ends the executor of a backend and starts the program that is
// installed now. Containers run on and do not notice. That program is asked first: if it
// cannot be started, or does not take the settings, the old executor stays. A backend that
// is down is tried again at once.
func (h *Host) RestartBackend(ctx context.Context, name string) error {
	b, err := h.backends.Pick(name)
	if err != nil {
		return err
	}
	return b.Restart(ctx)
}

// Runtimes lists the runtimes of a backend; an empty name means the default backend. The
// list is empty for a backend that has no runtimes to choose from.
func (h *Host) Runtimes(ctx context.Context, backend string) ([]executor.RuntimeInfo, error) {
	return ask(ctx, h, backend, transport.MethodRuntimeList)
}

// BackendImages lists the images that a backend has itself, by name; an empty name means the
// default backend. The error is [executor.Unsupported] if it is of a kind that has none.
func (h *Host) BackendImages(ctx context.Context, backend string) ([]executor.Image, error) {
	b, err := h.backends.Pick(backend)
	if err != nil {
		return nil, err
	}
	list, err := backends.Call(ctx, h.backends, b.Config().Name, transport.MethodImageList, transport.None{})
	slices.SortFunc(list, func(a, b executor.Image) int { return strings.Compare(a.Name, b.Name) })
	return list, err
}

// Check asks a backend what would keep workloads from running now. The findings
// carry their places in the config.
func (h *Host) Check(ctx context.Context, backend string) (diag.Diagnostics, error) {
	b, err := h.backends.Pick(backend)
	if err != nil {
		return nil, err
	}
	found, err := ask(ctx, h, backend, transport.MethodCheck)
	return b.Config().Resolve(found), err
}

// ask calls a method that takes no request. It returns an empty reply if the backend
// does not offer the method.
func ask[Reply any](ctx context.Context, h *Host, backend string, method *transport.Method[transport.None, Reply]) (Reply, error) {
	var none Reply
	b, err := h.backends.Pick(backend)
	if err != nil {
		return none, err
	}
	reply, err := backends.Call(ctx, h.backends, b.Config().Name, method, transport.None{})
	if errors.Is(err, executor.Unsupported) {
		return none, nil
	}
	return reply, err
}
