package main

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
)

// watch follows one attempt to its end and tells the host.
type watch struct {
	cancel context.CancelFunc
	source executor.Provenance // Observed if the attempt ran when the watch began
	done   chan struct{}       // closed at the end
	err    error               // set before: why the end is not handed over
}

func (w *watch) ended() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// watch gives the watch of an attempt. It begins one if there is none, or if the
// last one has failed.
func (b *backend) watch(a *attempt) *watch {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.watches[a.Ref]; w != nil && (!w.ended() || w.err == nil) {
		return w
	}
	w := &watch{source: executor.Observed, done: make(chan struct{})}
	if a.exit() != nil {
		w.source = executor.Recovered
	}
	var ctx context.Context
	ctx, w.cancel = context.WithCancel(b.lifetime)
	b.watches[a.Ref] = w
	b.wg.Go(func() {
		w.err = b.follow(ctx, a, w)
		close(w.done)
	})
	return w
}

// follow waits for the end of a workload and hands it over. Until Exited has
// returned nil, what is known of the end must stay on disk.
func (b *backend) follow(ctx context.Context, a *attempt, w *watch) error {
	defer w.cancel()
	if err := a.wait(ctx); err != nil {
		return err
	}
	if err := b.host.Exited(ctx, b.status(a, w)); err != nil {
		return err
	}
	// Workloads write to the output files themselves: nothing is left to drain.
	return b.host.Released(ctx, a.Ref, executor.Complete)
}

// watched gives the watch of an attempt, or nil.
func (b *backend) watched(ref executor.Ref) *watch {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.watches[ref]
}

// forget removes an attempt that has ended, and gives up its watch.
func (b *backend) forget(a *attempt) error {
	b.mu.Lock()
	w := b.watches[a.Ref]
	delete(b.watches, a.Ref)
	b.mu.Unlock()
	if w != nil {
		w.cancel()
		<-w.done
	}
	return a.remove()
}

// status tells about an attempt; w may be nil.
func (b *backend) status(a *attempt, w *watch) executor.Status {
	s := executor.Status{Ref: a.Ref, State: executor.Running, PID: a.PID, StartedAt: a.StartedAt}
	if s.Exit = a.exit(); s.Exit == nil {
		return s
	}
	s.State, s.PID = executor.Exited, 0
	if s.Exit.Source == "" {
		s.Exit.Source = executor.Recovered
		if w != nil {
			s.Exit.Source = w.source
		}
	}
	if w != nil && w.ended() && w.err == nil {
		s.State, s.Output = executor.Released, executor.Complete
	}
	return s
}
