package containers

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/pipes"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

const (
	// redrawPause is the time between two sizes of a terminal, so that its program sees
	// both.
	redrawPause = 50 * time.Millisecond
	// closeWait is how long the close of an input may keep its client.
	closeWait = 30 * time.Second
)

// conversation is a client with the streams of a process.
type conversation struct {
	manager  *Manager
	ref      executor.Ref
	backend  string
	stdio    store.Stdio
	stdin    string // path
	progress *pipes.Progress
	to       api.Streams
	// keepInput leaves the process's input open when that of the client ends.
	keepInput bool

	// closed says whether the input had ended when closes, that of the manager, was read, and
	// unchanged was got, which is closed when something happens. Only input uses them.
	closed    bool
	closes    int64
	unchanged <-chan struct{}
}

// run serves the client until output has returned. output calls begin first.
func (v *conversation) run(ctx context.Context, output func(ctx context.Context, begin func(api.StreamsBegun) error) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(v.manager.ctx, func() { cancel(errClosing()) })()
	var wg sync.WaitGroup
	serve := func(fn func(context.Context) error) {
		wg.Go(func() {
			if err := fn(ctx); err != nil && ctx.Err() == nil {
				cancel(err)
			}
		})
	}
	err := output(ctx, func(b api.StreamsBegun) error {
		b.Input = v.progress.Stdin.Done()
		if v.to.Begun != nil {
			if err := v.to.Begun(b); err != nil {
				return err
			}
		}
		if v.to.Input != nil && !b.InputClosed {
			serve(v.input)
		}
		if v.to.Control != nil {
			serve(v.control)
		}
		return nil
	})
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	cancel(nil)
	wg.Wait()
	return err
}

// input gives the process what the client sends.
func (v *conversation) input(ctx context.Context) error {
	if err := v.progress.Stdin.Torn(); err != nil {
		return err
	}
	for {
		data, err := v.to.Input(ctx)
		if errors.Is(err, io.EOF) {
			return v.closeInput(ctx)
		}
		if err == nil {
			err = v.give(ctx, data)
		}
		if err == nil && v.to.Taken != nil {
			err = v.to.Taken(v.progress.Stdin.Done())
		}
		if err != nil {
			return err
		}
	}
}

// give writes to the process's input. What nobody reads is dropped, as if a pipe's reader had
// gone; its writer need not know. The FIFO is opened for each piece: the input ends when
// nobody has it open, and another client may end it at any time.
func (v *conversation) give(ctx context.Context, data []byte) error {
	counter := v.progress.Stdin
	if !v.stdio.Stdin || v.inputClosed() {
		return counter.Skip(len(data))
	}
	w, err := pipes.OpenWriter(v.stdin, counter)
	if errors.Is(err, pipes.ErrNoReader) {
		return counter.Skip(len(data))
	}
	if err != nil {
		return err
	}
	defer w.Close()
	before := counter.Done()
	err = w.Write(ctx, data)
	if errors.Is(err, pipes.ErrNoReader) {
		return counter.Skip(len(data) - int(counter.Done()-before))
	}
	return err
}

// closeInput records that the input ends here, and then ends it.
func (v *conversation) closeInput(ctx context.Context) error {
	if v.keepInput || !v.stdio.Stdin {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
	defer cancel()
	if err := v.manager.recordClose(ctx, v.ref); err != nil {
		return err
	}
	_, err := backends.Call(ctx, v.manager.backends, v.backend, transport.MethodCloseInput, v.ref)
	if err != nil && !errors.Is(err, executor.FailedPrecondition) && !errors.Is(err, executor.NotFound) {
		v.manager.logger.Warn("an input is not closed yet", "process", v.ref.String(), "error", err)
		v.manager.closeLater(v.backend, v.ref)
	}
	return nil
}

// inputClosed reports whether the process's input has ended. For each key that somebody
// presses the record would cost more than all else that is done with the key.
func (v *conversation) inputClosed() bool {
	select {
	case <-v.unchanged:
		v.unchanged = nil
	default:
	}
	if closes := v.manager.closes.Load(); v.unchanged == nil || closes != v.closes {
		// First these: what changes after that is seen next time.
		v.closes, v.unchanged = closes, v.manager.store.Changed()
		v.closed = v.manager.inputClosed(v.ref)
	}
	return v.closed
}

// inputClosed reports whether the input of a process has ended.
func (m *Manager) inputClosed(ref executor.Ref) (closed bool) {
	_ = m.store.View(func(tx *store.Tx) error {
		if ref.Exec != "" {
			e, err := tx.Exec(ref)
			closed = err != nil || e.InputClosed
			return err
		}
		c, err := tx.Container(ref.ID)
		closed = err != nil || c.Attempt != ref.Attempt || c.InputClosed
		return err
	})
	return closed
}

// recordClose records that the input of a process is to end where it ends now.
func (m *Manager) recordClose(ctx context.Context, ref executor.Ref) error {
	err := m.store.Update(ctx, func(tx *store.Tx) error {
		if ref.Exec != "" {
			e, err := tx.Exec(ref)
			if err != nil {
				return err
			}
			e.InputClosed = true
			return tx.PutExec(e)
		}
		c, err := tx.Container(ref.ID)
		if err != nil || c.Attempt != ref.Attempt {
			return err
		}
		c.InputClosed = true
		return tx.PutContainer(c)
	})
	if err == nil {
		m.closes.Add(1)
	}
	if errors.Is(err, executor.NotFound) {
		return nil // it has ended, and was removed
	}
	return err
}

// control does what the client wants to be done to the process. What fails because the
// process has just ended is no error.
func (v *conversation) control(ctx context.Context) error {
	for {
		c, err := v.to.Control(ctx)
		switch {
		case err != nil:
			return nil //nolint:nilerr // nothing more comes
		case c.Detach:
			return api.ErrDetached
		case c.Resize != nil:
			err = v.resize(ctx, *c.Resize)
		case c.Redraw != nil:
			other := *c.Redraw
			if other.Height--; other.Height == 0 {
				other.Height = 2
			}
			if err = v.resize(ctx, other); err == nil {
				select {
				case <-time.After(redrawPause):
				case <-ctx.Done():
				}
				err = v.resize(context.WithoutCancel(ctx), *c.Redraw)
			}
		case c.Signal != 0:
			_, err = backends.Call(ctx, v.manager.backends, v.backend, transport.MethodSignal, transport.SignalRequest{Ref: v.ref, Signal: c.Signal})
		}
		if err != nil && ctx.Err() == nil {
			v.manager.logger.Debug("what a client wanted was not done", "process", v.ref.String(), "error", err)
		}
	}
}

func (v *conversation) resize(ctx context.Context, size executor.TerminalSize) error {
	if !v.stdio.Terminal {
		return nil
	}
	_, err := backends.Call(ctx, v.manager.backends, v.backend, transport.MethodResize, transport.ResizeRequest{Ref: v.ref, Size: size})
	return err
}
