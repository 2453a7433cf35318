package lifecycle

import (
	"context"
	"fmt"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// diskRetry is how long a watcher waits for a disk that is full or read-only.
const diskRetry = 500 * time.Millisecond

// watch starts a watcher for a process with the status st. It replaces an earlier
// watcher in the same slot. Nobody else may work on the slot meanwhile.
func (b *Backend[J, P]) watch(p P, st executor.Status) *attempt[P] {
	b.forget(st.Ref)
	a := &attempt[P]{ref: st.Ref, process: p, done: make(chan struct{}), st: st}
	var ctx context.Context
	ctx, a.cancel = context.WithCancel(b.lifetime)
	b.mu.Lock()
	b.attempts[slotOf(a.ref)] = a
	b.mu.Unlock()
	b.watchers.Go(func() {
		defer close(a.done)
		defer a.cancel()
		a.err = b.followThrough(ctx, a)
		closeProcess(p)
		if a.err != nil && ctx.Err() == nil {
			b.log.Error("attempt is no longer watched", "ref", a.ref, "error", a.err)
		}
	})
	return a
}

// forget ends the watcher in a slot and forgets the attempt, which it returns.
func (b *Backend[J, P]) forget(ref executor.Ref) *attempt[P] {
	b.mu.Lock()
	a := b.attempts[slotOf(ref)]
	delete(b.attempts, slotOf(ref))
	b.mu.Unlock()
	if a != nil {
		a.cancel()
		<-a.done
	}
	return a
}

// followThrough follows an attempt, and starts over when its end could not be
// recorded or released because a disk was full or read-only.
func (b *Backend[J, P]) followThrough(ctx context.Context, a *attempt[P]) error {
	for {
		err := b.follow(ctx, a)
		if !executor.DiskFault(err) {
			return err
		}
		b.log.Warn("the end of an attempt cannot be recorded; it is tried again", "ref", a.ref, "error", err)
		select {
		case <-time.After(diskRetry):
		case <-ctx.Done():
			return err
		}
	}
}

// follow takes an attempt from where it stands to its release. After an error the
// attempt is not released, and nothing is lost that the host does not have.
func (b *Backend[J, P]) follow(ctx context.Context, a *attempt[P]) error {
	st := a.status()
	if !st.State.Ended() {
		exit, err := a.process.Wait(ctx)
		if err != nil {
			return fmt.Errorf("wait: %w", err)
		}
		st = a.exited(exit)
	}
	recorded := func() error { return nil }
	if r, ok := any(a.process).(Recorder); ok && st.Output == "" {
		recorded = func() error { return r.Record(ctx, st.Exit) }
	}
	unrecorded := recorded()
	// What is lost may run on. Any other exit the host can have without a record.
	if unrecorded != nil && (st.Exit.Source == executor.Lost || !executor.DiskFault(unrecorded)) {
		return fmt.Errorf("record exit: %w", unrecorded)
	}
	output := st.Output
	st.State, st.Output = executor.Exited, ""
	if err := b.host.Exited(ctx, st); err != nil {
		return fmt.Errorf("report exit: %w", err)
	}
	if b.execs != nil {
		b.execs.settle(ctx, a.ref)
	}
	if output == "" {
		var err error
		if output, err = a.process.Release(ctx); err != nil {
			return fmt.Errorf("release: %w", err)
		}
	}
	if unrecorded != nil { // by now there may be room
		if err := recorded(); err != nil {
			b.log.Warn("an exit is recorded by the host alone", "ref", a.ref, "error", err)
		}
	}
	a.released(output)
	if err := b.host.Released(ctx, a.ref, output); err != nil {
		return fmt.Errorf("report release: %w", err)
	}
	return nil
}
