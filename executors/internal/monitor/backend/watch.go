package backend

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/shared/executor"
)

// attempt is an attempt that this process watches, or has watched to its end.
type attempt struct {
	ref    executor.Ref
	cancel context.CancelFunc
	done   chan struct{} // closed when the watcher has ended
	err    error         // why it ended early; read after done

	mu sync.Mutex
	st executor.Status
}

func (a *attempt) status() executor.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.st
}

func (a *attempt) set(change func(*executor.Status)) executor.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.st)
	return a.st
}

// over reports whether the watcher has ended, and how.
func (a *attempt) over() (bool, error) {
	select {
	case <-a.done:
		return true, a.err
	default:
		return false, nil
	}
}

// watched gives the attempt of an id that this process knows, or nil.
func (b *Backend) watched(id string) *attempt {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.attempts[id]
}

// stopWatching ends the watcher of an id and forgets the attempt.
func (b *Backend) stopWatching(id string) {
	b.mu.Lock()
	a := b.attempts[id]
	delete(b.attempts, id)
	b.mu.Unlock()
	if a != nil {
		a.cancel()
		<-a.done
	}
}

// diskRetry is how long a watcher waits for a disk that is full or read-only.
const diskRetry = 500 * time.Millisecond

// watch starts a watcher for an attempt that stands as st says. Nobody else may
// work on the id meanwhile.
func (b *Backend) watch(st executor.Status) {
	b.stopWatching(st.Ref.ID)
	ctx, cancel := context.WithCancel(b.ctx)
	a := &attempt{ref: st.Ref, cancel: cancel, done: make(chan struct{}), st: st}
	b.mu.Lock()
	b.attempts[st.Ref.ID] = a
	b.mu.Unlock()
	b.wg.Go(func() {
		defer close(a.done)
		defer cancel()
		a.err = b.persist(ctx, a)
		b.guard.Forget(a.ref)
		if a.err != nil && ctx.Err() == nil {
			b.log.Error("attempt is not followed any more", "ref", a.ref, "error", a.err)
		}
	})
}

// persist follows an attempt, anew when a disk that was full or read-only took no
// record of its end.
func (b *Backend) persist(ctx context.Context, a *attempt) error {
	for {
		err := b.follow(ctx, a)
		if !executor.DiskFault(err) {
			return err
		}
		b.log.Warn("an end cannot be recorded, and is kept until it can", "ref", a.ref, "error", err)
		select {
		case <-time.After(diskRetry):
		case <-ctx.Done():
			return err
		}
	}
}

// follow takes an attempt from where it stands to its release. An error means
// that it stopped before that, with nothing deleted that the host does not have.
func (b *Backend) follow(ctx context.Context, a *attempt) error {
	st := a.status()
	output := st.Output
	if output == "" {
		end, err := monitor.Wait(ctx, b.path(a.ref.ID))
		if err != nil {
			return fmt.Errorf("wait: %w", err)
		}
		output = executor.Truncated
		if end.Complete {
			output = executor.Complete
		}
		if !st.State.Ended() {
			exit := *end.Exit
			if exit.Source == executor.Recovered {
				exit.Source = executor.Observed
			}
			st = a.set(func(s *executor.Status) { s.State, s.Exit, s.PID = executor.Exited, &exit, 0 })
		}
	}
	report := st
	report.State, report.Output = executor.Exited, ""
	if err := b.host.Exited(ctx, report); err != nil {
		return fmt.Errorf("report exit: %w", err)
	}
	if st.Output == "" {
		if err := b.putOutput(a.ref.ID, output); err != nil {
			return fmt.Errorf("record release: %w", err)
		}
	}
	a.set(func(s *executor.Status) { s.State, s.Output = executor.Released, output })
	if err := b.host.Released(ctx, a.ref, output); err != nil {
		return fmt.Errorf("report release: %w", err)
	}
	return nil
}

// handOver waits until the host has the exit of an attempt that has ended, and
// nothing is held of it any more.
func (b *Backend) handOver(ctx context.Context, id string) error {
	a := b.watched(id)
	if a == nil {
		return nil
	}
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
		return ctx.Err()
	}
}
