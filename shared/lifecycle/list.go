package lifecycle

import (
	"context"
	"maps"

	"github.com/davit-run/davit/shared/executor"
)

// List implements [executor.Backend]. It leaves out what a Create under way is
// making.
func (b *Backend[J, P]) List(ctx context.Context) ([]executor.Status, error) {
	before, making := b.snapshot()
	found, err := b.driver.List(ctx, func(id, exec string) bool {
		a := before[slot{id, exec}]
		return a != nil && a.believed()
	})
	if err != nil {
		return nil, err
	}
	known, makingNow := b.snapshot()
	list := make([]executor.Status, 0, max(len(found), len(known)))
	states := make(map[slot]executor.State) // of those that run: anybody may have paused them
	for _, f := range found {
		s := slotOf(f.Status.Ref)
		a := known[s]
		switch {
		case a != nil && a.believed():
			if a.ref == f.Status.Ref && f.Phase == Running {
				states[s] = f.Status.State
			}
			continue
		case a != nil:
			delete(known, s)
		case before[s] != nil, making[s], makingNow[s]: // it is being deleted, or created
			continue
		}
		if f.Phase == NeverRan && f.Status.State == "" {
			f.Status = neverStarted(f.Status)
		}
		list = append(list, f.Status)
	}
	for s, a := range known {
		st := a.status()
		if state := states[s]; state != "" && !st.State.Ended() {
			st.State = state
		}
		list = append(list, st)
	}
	if b.execs == nil {
		return list, nil
	}
	further, err := b.execs.List(ctx)
	return append(list, further...), err
}

// snapshot returns the attempts that this process watches or has watched, and the
// slots with a Create under way.
func (b *Backend[J, P]) snapshot() (attempts map[slot]*attempt[P], creating map[slot]bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.attempts), maps.Clone(b.creating)
}
