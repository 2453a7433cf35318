package backends

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/supervisor"
	"github.com/davit-run/davit/shared/executor"
)

// Change is what a new config changes of a backend.
type Change struct {
	Name string
	// Before is its config until now, nil for one that is added. After is nil for one that
	// is removed.
	Before, After *config.Backend
	// Difference says what is other if it was there and stays.
	Difference config.Difference
	// Restart means that its executor has to be started again.
	Restart bool

	backend *Backend
}

// Config returns the config that is in force. The caller does not change it.
func (s *Set) Config() config.Config { return *s.config() }

// Plan returns what cfg changes, by name. It changes nothing. Call neither it nor Apply
// while another does.
func (s *Set) Plan(cfg config.Config) []Change {
	var changes []Change
	have := s.byName()
	for i := range cfg.Backends {
		after := &cfg.Backends[i]
		b := have[after.Name]
		if b == nil {
			changes = append(changes, Change{Name: after.Name, After: after, backend: newBackend(after)})
			continue
		}
		c := Change{Name: after.Name, Before: b.Config(), After: after, Difference: after.Compare(b.Config()), backend: b}
		c.Restart = len(c.Difference.Settings) > 0 || b.behind
		if c.Restart || c.Difference.Any() {
			changes = append(changes, c)
		}
	}
	for name, b := range have {
		if cfg.Backend(name) == nil {
			changes = append(changes, Change{Name: name, Before: b.Config(), backend: b})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Name, b.Name) })
	return changes
}

// CheckUser checks that the executor of a backend can run as the user that its config
// names.
func CheckUser(cfg *config.Backend) error {
	_, err := ownerOf(cfg)
	return err
}

// Apply puts cfg into force, whose Plan is changes. busy counts the containers of each
// backend that have not ended. An error before anything was changed is the second result;
// the first has, by name, what did not succeed: the config is in force all the same, and
// the backend is tried again.
//
// The executor of a removed backend is ended if nothing runs there. Else the host only
// leaves it, as it does when it ends.
func (s *Set) Apply(ctx context.Context, cfg config.Config, changes []Change, busy map[string]int) (map[string]error, error) {
	next := &configured{cfg, maps.Clone(s.byName())}
	for _, c := range changes {
		switch {
		case c.After == nil:
			delete(next.byName, c.Name)
		case c.Before == nil:
			if err := s.prepare(c.backend); err != nil {
				return nil, err
			}
			next.byName[c.Name] = c.backend
		}
	}
	for i := range cfg.Backends { // the places of those without a change have changed
		if b := next.byName[cfg.Backends[i].Name]; b != nil {
			b.config.Store(&cfg.Backends[i])
		}
	}
	s.current.Store(next)
	var mu sync.Mutex
	failed := map[string]error{}
	var wg sync.WaitGroup
	for _, c := range changes {
		wg.Go(func() {
			if err := s.apply(ctx, c, busy[c.Name]); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed[c.Name] = err
			}
		})
	}
	wg.Wait()
	return failed, nil
}

// apply carries one change out.
func (s *Set) apply(ctx context.Context, c Change, busy int) error {
	switch b := c.backend; {
	case c.Before == nil:
		b.Backend.Start()
		_, err := b.Session(ctx)
		return err
	case c.After == nil:
		return s.leave(ctx, b, busy)
	case c.Restart:
		err := b.Restart(ctx)
		b.behind = err != nil && b.Info().State == supervisor.Ready
		return err
	}
	return nil
}

// leave ends the supervision of a backend that is no longer in the config.
func (s *Set) leave(ctx context.Context, b *Backend, busy int) (err error) {
	b.leaving.Store(true)
	if busy == 0 {
		err = b.Stop(ctx)
	}
	b.Close()
	e := store.Event{Type: api.BackendEvent(api.BackendRemoved), Backend: b.Config().Name, Data: map[string]string{"executor": b.Config().Executor}}
	if journaled := s.opts.Journal(context.WithoutCancel(ctx), e); journaled != nil {
		s.opts.Logger.Error("the removal of a backend was not journaled", "backend", e.Backend, "error", journaled)
	}
	return err
}

// CheckRemoval returns why a change must not be made while containers of the backend have
// not ended, nil if nothing is against it.
func (s *Set) CheckRemoval(c Change, busy int) error {
	switch {
	case busy == 0:
		return nil
	case c.After == nil && s.opts.Ephemeral:
		return executor.Errorf(executor.FailedPrecondition, "backend %s is no longer in it, and what runs there (%s) would end, as this host is ephemeral; end that first", c.Name, containers(busy))
	case c.Before != nil && c.After != nil && c.Before.Executor != c.After.Executor:
		return executor.Errorf(executor.FailedPrecondition, "backend %s cannot change from executor %s to %s while there is work on it (%s); end that first, or give the new one another name", c.Name, c.Before.Executor, c.After.Executor, containers(busy))
	}
	return nil
}

func containers(n int) string {
	if n == 1 {
		return "1 container"
	}
	return fmt.Sprintf("%d containers", n)
}
