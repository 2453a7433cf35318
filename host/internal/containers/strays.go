package containers

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/output"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// stray is a stray with what a backend needs to know of it.
type stray struct {
	api.Stray
	ref executor.Ref
	key string // empty for a directory
}

// Strays lists what is left of containers whose records are lost.
func (m *Manager) Strays(ctx context.Context) ([]api.Stray, error) {
	all, err := m.strays(ctx)
	list := make([]api.Stray, len(all))
	for i, s := range all {
		list[i] = s.Stray
	}
	return list, err
}

// strays lists the containers first, and then the directories that are of none of them.
func (m *Manager) strays(ctx context.Context) ([]stray, error) {
	records, err := m.records()
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, c := range records {
		known[c.ID] = true
	}
	all := slices.DeleteFunc(m.strayContainers(ctx), func(s stray) bool { return known[s.ID] })
	for _, s := range all {
		known[s.ID] = true
	}
	ids, err := m.outputs.IDs()
	slices.Sort(ids)
	for _, id := range ids {
		if !known[id] {
			all = append(all, m.strayDirectory(id))
		}
	}
	return all, err
}

// strayContainers asks the backends. Those that do not answer are left out, and of a stray
// that two of them see there is one.
func (m *Manager) strayContainers(ctx context.Context) []stray {
	var mu sync.Mutex
	found := map[string]stray{} // by key
	var wg sync.WaitGroup
	for _, name := range slices.Sorted(maps.Keys(m.backends.All())) {
		wg.Go(func() {
			list, err := backends.Call(ctx, m.backends, name, transport.MethodStrays, transport.None{})
			if err != nil && !errors.Is(err, executor.Unsupported) {
				m.logger.Warn("a backend was not asked for strays", "backend", name, "error", err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, s := range list {
				if other, twice := found[s.Key]; !twice || name < other.Backend {
					found[s.Key] = m.strayContainer(name, s)
				}
			}
		})
	}
	wg.Wait()
	return slices.SortedFunc(maps.Values(found), func(a, b stray) int { return cmp.Compare(a.ID+a.key, b.ID+b.key) })
}

func (m *Manager) strayContainer(backend string, s executor.Stray) stray {
	st := s.Status
	v := stray{ref: st.Ref, key: s.Key, Stray: api.Stray{
		ID: st.Ref.ID, Kind: api.StrayContainer, Backend: backend, Runtime: st.Runtime, State: api.State(st.State),
		PID: st.PID, Since: st.StartedAt, Host: s.Host, What: s.What, Problem: s.Problem,
	}}
	if st.State.Ended() {
		v.State = api.StateExited
	}
	if c, _, err := m.readCopy(v.ID); err == nil {
		v.Name, v.Command = c.Name, c.Command
	}
	return v
}

func (m *Manager) strayDirectory(id string) stray {
	v := stray{Stray: api.Stray{ID: id, Kind: api.StrayDirectory, What: "output without a container, in " + filepath.Join(output.DirOf(m.opts.StateDir), id)}}
	c, _, err := m.readCopy(id)
	if err != nil {
		v.Problem = "there is no copy of its record"
		return v
	}
	v.ref = c.Ref()
	v.Name, v.Backend, v.Runtime, v.Command, v.Since = c.Name, c.Backend, c.Runtime.Name, c.Command, c.CreatedAt
	return v
}

// stray returns the one that a user means by a reference.
func (m *Manager) stray(ctx context.Context, reference string) (stray, error) {
	all, err := m.strays(ctx)
	if err != nil {
		return stray{}, err
	}
	var matches []stray
	for _, s := range all {
		if s.ID == reference || reference != "" && s.Name == reference {
			return s, nil
		}
		if reference != "" && strings.HasPrefix(s.ID, reference) {
			matches = append(matches, s)
		}
	}
	switch len(matches) {
	case 0:
		return stray{}, executor.Errorf(executor.NotFound, "no stray %q; `davit ps --strays` lists them", reference)
	case 1:
		return matches[0], nil
	}
	return stray{}, executor.Errorf(executor.Invalid, "%q is the start of more than one stray's id; give more of it", reference)
}

// AdoptStray makes a stray a container of this host.
func (m *Manager) AdoptStray(ctx context.Context, reference string) (api.Container, error) {
	s, err := m.stray(ctx, reference)
	if err != nil {
		return api.Container{}, err
	}
	if s.Problem != "" {
		return api.Container{}, executor.Errorf(executor.FailedPrecondition, "stray %s cannot be adopted: %s; `davit rm --stray %s` removes it", s.ID, s.Problem, s.ID)
	}
	adopt := m.adoptContainer
	if s.key == "" {
		adopt = m.adoptDirectory
	}
	if err := adopt(ctx, s); err != nil {
		return api.Container{}, err
	}
	return m.Inspect(s.ID)
}

func (m *Manager) adoptContainer(ctx context.Context, s stray) error {
	session, err := m.backends.Session(ctx, s.Backend)
	if err != nil {
		return err
	}
	status, err := backends.On(ctx, session, transport.MethodStrayAdopt, transport.StrayRequest{Ref: s.ref, Key: s.key})
	if err != nil {
		return err
	}
	return m.reconcileOrphan(context.WithoutCancel(ctx), session, status)
}

// adoptDirectory makes a record of a container that has ended, from its copy. Its policy
// starts it only after a user has.
func (m *Manager) adoptDirectory(ctx context.Context, s stray) error {
	c, spec, err := m.readCopy(s.ID)
	if err != nil {
		return err
	}
	unsettle(c)
	c.Desired = store.WantStopped
	if err := m.store.Update(ctx, func(tx *store.Tx) error { return createAdopted(tx, c, spec) }); err != nil {
		return err
	}
	m.keepCopy(c.ID)
	session, err := m.backends.Session(ctx, c.Backend)
	if err != nil {
		return nil //nolint:nilerr // its state is unknown until the backend is back
	}
	return m.reconcileOne(context.WithoutCancel(ctx), session, c, executor.Status{}, false)
}

// RemoveStray kills a stray, and removes it with its output.
func (m *Manager) RemoveStray(ctx context.Context, reference string) error {
	s, err := m.stray(ctx, reference)
	if err != nil {
		return err
	}
	if s.key != "" {
		_, err := backends.Call(ctx, m.backends, s.Backend, transport.MethodStrayRemove, transport.StrayRequest{Ref: s.ref, Key: s.key})
		if err != nil {
			return err
		}
	}
	return m.removeLost(ctx, s.ID)
}

// warnStrays logs the strays that a backend sees.
func (m *Manager) warnStrays(session *backends.Session) {
	list, err := backends.On(m.ctx, session, transport.MethodStrays, transport.None{})
	if err == nil && len(list) > 0 {
		m.logger.Warn("containers of lost hosts run, or are kept, and nobody looks after them; see davit ps --strays", "backend", session.Backend, "strays", len(list))
	}
}
