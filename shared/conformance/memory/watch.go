package memory

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/davit-run/davit/shared/executor"
)

// watch follows one attempt to its end and tells the host.
type watch struct {
	cancel context.CancelFunc
	// source of the exit: Observed if the attempt ran when the watch began.
	source executor.Provenance
	done   chan struct{} // closed when the watch has ended
	err    error         // set before done is closed: why the exit is not handed over
}

// follow gives the watch of h, and begins one if there is none or the last one
// failed.
func (b *backend) follow(h holder) *watch {
	ref := h.record().Ref
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.watches[ref]; w != nil && !w.failed() {
		return w
	}
	ctx, cancel := context.WithCancel(b.lifetime)
	w := &watch{cancel: cancel, source: executor.Observed, done: make(chan struct{})}
	if h.exit() != nil {
		w.source = executor.Recovered
	}
	b.watches[ref] = w
	b.wg.Go(func() {
		defer cancel()
		w.err = b.report(ctx, h, w)
		close(w.done)
	})
	return w
}

// report waits for the end of h and hands it over.
func (b *backend) report(ctx context.Context, h holder, w *watch) error {
	if err := h.wait(ctx); err != nil {
		return err
	}
	status := b.status(h, w)
	if err := b.host.Exited(ctx, status); err != nil {
		return err
	}
	if err := b.noteAnswer(status); err != nil {
		return err
	}
	// Workloads write to their files themselves, so nothing is left to drain.
	return b.host.Released(ctx, status.Ref, executor.Complete)
}

func (b *backend) noteAnswer(status executor.Status) error {
	name := b.settings.config.Answered
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	code := -1
	if status.Exit.Code != nil {
		code = *status.Exit.Code
	}
	_, err = fmt.Fprintf(f, "%s %d\n", status.Ref, code)
	return errors.Join(err, f.Close())
}

func (w *watch) failed() bool { return w.ended() && w.err != nil }

func (w *watch) ended() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

func (b *backend) watchOf(ref executor.Ref) *watch {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.watches[ref]
}

// forget removes an attempt that has ended, and its watch.
func (b *backend) forget(h holder) error {
	ref := h.record().Ref
	b.mu.Lock()
	w := b.watches[ref]
	delete(b.watches, ref)
	b.mu.Unlock()
	if w != nil {
		w.cancel()
		<-w.done
	}
	return h.remove()
}

// status gives what is known of h; w may be nil.
func (b *backend) status(h holder, w *watch) executor.Status {
	rec := h.record()
	s := executor.Status{Ref: rec.Ref, State: executor.Running, PID: rec.PID, StartedAt: rec.StartedAt, Runtime: rec.Runtime}
	s.Exit = h.exit()
	if s.Exit == nil {
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
