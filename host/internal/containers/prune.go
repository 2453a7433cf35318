package containers

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/supervisor"
	"github.com/davit-run/davit/shared/executor"
)

// Prune removes what is not needed any more; see the method of host.Host.
func (m *Manager) Prune(ctx context.Context, opts api.PruneOptions) (api.Pruned, error) {
	usage, err := m.DiskUsage()
	if err != nil {
		return api.Pruned{}, err
	}
	var done api.Pruned
	var failed error
	latest := time.Now().Add(-opts.Older)
	strays := map[string]bool{}
	if slices.ContainsFunc(usage.Containers, func(c api.ContainerUsage) bool { return c.Lost }) {
		for _, s := range m.strayContainers(ctx) {
			strays[s.ID] = true
		}
	}
	for _, one := range usage.Containers {
		switch {
		case one.Lost && (opts.Older > 0 || strays[one.ID] || m.mayBeAdopted(one.ID)):
			continue
		case !one.Lost && (!one.Ended || one.EndedAt.After(latest)):
			continue
		}
		var err error
		switch {
		case opts.DryRun:
		case one.Lost:
			err = m.removeLost(ctx, one.ID)
		default:
			err = m.remove(ctx, one.ID)
		}
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		done.Containers = append(done.Containers, one)
		done.Bytes += one.Bytes
	}
	return done, failed
}

// mayBeAdopted reports whether a backend may still know a container without a record: one
// that has not reconciled what it has.
func (m *Manager) mayBeAdopted(id string) bool {
	c, _, err := m.readCopy(id)
	for name, b := range m.backends.All() {
		if (err != nil || c.Backend == name) && b.Info().State != supervisor.Ready {
			return true
		}
	}
	return err == nil && !m.backends.Has(c.Backend)
}

// DiskUsage returns how much of the disk the output of containers takes.
func (m *Manager) DiskUsage() (api.DiskUsage, error) {
	// The directories come first: none is made before its record.
	sizes, err := m.outputs.Sizes()
	if err != nil {
		return api.DiskUsage{}, err
	}
	records, err := m.records()
	if err != nil {
		return api.DiskUsage{}, err
	}
	var usage api.DiskUsage
	for _, c := range records {
		one := api.ContainerUsage{ID: c.ID, Name: c.Name, Bytes: sizes[c.ID], Ended: finished(c)}
		if one.Ended {
			one.EndedAt = endedAt(c)
		}
		usage.Containers = append(usage.Containers, one)
		delete(sizes, c.ID)
	}
	for id, n := range sizes {
		usage.Containers = append(usage.Containers, api.ContainerUsage{ID: id, Bytes: n, Lost: true})
	}
	slices.SortFunc(usage.Containers, func(a, b api.ContainerUsage) int { return int(b.Bytes - a.Bytes) })
	return usage, nil
}

// finished reports whether a container has ended for good.
func finished(c *store.Container) bool { return ended(c) && c.RestartAt.IsZero() }

// endedAt returns when a container has ended, or else when it was made.
func endedAt(c *store.Container) time.Time {
	if c.FinishedAt.IsZero() {
		return c.CreatedAt
	}
	return c.FinishedAt
}

// retainInterval is how often containers are looked at that may have been kept for long
// enough.
const retainInterval = time.Hour

// retain removes containers that have been kept for long enough, until the Manager closes.
func (m *Manager) retain() {
	const soon = time.Minute
	for wait := soon; ; {
		select {
		case <-m.ctx.Done():
			return
		case <-m.relimited:
			wait = soon
			continue
		case <-time.After(wait):
			wait = retainInterval
		}
		keep := m.limits.Load().KeepEnded
		if keep <= 0 {
			continue
		}
		if err := m.expire(m.ctx, time.Now().Add(-keep)); err != nil && m.ctx.Err() == nil {
			m.logger.Warn("ended containers could not be removed; it is tried again", "after", retainInterval, "error", err)
		}
	}
}

// expire removes the containers that ended before a time, but for those that somebody
// still reads.
func (m *Manager) expire(ctx context.Context, before time.Time) error {
	records, err := m.records()
	for _, c := range records {
		m.mu.Lock()
		pinned := m.pins[c.ID] > 0
		m.mu.Unlock()
		if pinned || !finished(c) || !endedAt(c).Before(before) {
			continue
		}
		if rerr := m.remove(ctx, c.ID); rerr != nil && !errors.Is(rerr, executor.NotFound) {
			err = errors.Join(err, rerr)
			continue
		}
		m.logger.Info("a container was removed, a while after its end", "container", c.ID, "name", c.Name, "ended", endedAt(c))
	}
	return err
}
