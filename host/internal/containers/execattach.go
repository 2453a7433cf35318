package containers

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/pipes"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// progressFile is beside the streams of an exec.
const progressFile = "progress"

// claim is the client of an exec.
type claim struct {
	cancel context.CancelCauseFunc
	over   chan struct{}
}

// errTakenOver ends an attachment when another client comes.
var errTakenOver = executor.Errorf(executor.Canceled, "another client is attached now")

// ExecAttached starts a further process in a container that runs, attaches the caller to its
// streams, and returns its end. A command that cannot be started is an error before Begun is
// called. A repeated request, with the same id, is attached to the exec that the first one
// made, in the place of its client.
//
// If ctx ends first, the exec is hung up, and then killed, unless Keep is set.
func (m *Manager) ExecAttached(ctx context.Context, reference string, opts api.ExecOptions, to api.Streams) (*api.End, error) {
	e, err := m.exec(ctx, reference, opts)
	if err != nil {
		return nil, err
	}
	claimed, leave, err := m.claimExec(ctx, e.Ref)
	if err != nil {
		return nil, err
	}
	end, err := m.attachExec(claimed, e.Ref, to)
	cause := context.Cause(claimed)
	leave()
	switch {
	case err == nil:
		return end, nil
	case errors.Is(err, api.ErrDetached):
		m.unattend(e.Ref)
	case errors.Is(cause, errTakenOver):
		return nil, errTakenOver
	case m.ctx.Err() != nil || api.Stopping(ctx): // the client comes back to the next host
	case e.Attended:
		m.background(func() { m.hangUp(e.Ref) })
	}
	return nil, err
}

// claimExec makes the caller the client of an exec, in the place of the one that there is.
func (m *Manager) claimExec(ctx context.Context, ref executor.Ref) (_ context.Context, leave func(), err error) {
	for {
		m.mu.Lock()
		other := m.claims[ref]
		if other == nil {
			claimed, cancel := context.WithCancelCause(ctx)
			mine := &claim{cancel: cancel, over: make(chan struct{})}
			m.claims[ref] = mine
			m.mu.Unlock()
			return claimed, func() {
				m.mu.Lock()
				delete(m.claims, ref)
				m.mu.Unlock()
				mine.cancel(nil)
				close(mine.over)
			}, nil
		}
		m.mu.Unlock()
		other.cancel(errTakenOver)
		select {
		case <-other.over:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// attended reports whether an exec has a client.
func (m *Manager) attended(ref executor.Ref) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.claims[ref] != nil
}

// unattend records that an exec goes on without a client.
func (m *Manager) unattend(ref executor.Ref) {
	err := m.store.Update(context.WithoutCancel(m.ctx), func(tx *store.Tx) error {
		e, err := tx.Exec(ref)
		if err != nil || !e.Attended {
			return err
		}
		e.Attended = false
		return tx.PutExec(e)
	})
	if err != nil && !errors.Is(err, executor.NotFound) {
		m.logger.Warn("it is not recorded that an exec goes on without a client", "exec", ref.String(), "error", err)
	}
}

// attachExec serves a client until the exec has ended.
func (m *Manager) attachExec(ctx context.Context, ref executor.Ref, to api.Streams) (*api.End, error) {
	e, err := m.execRecord(ref)
	if err != nil {
		return nil, err
	}
	files := m.execFiles(e)
	progress, err := pipes.OpenProgress(filepath.Join(files.Dir(), progressFile))
	if err != nil {
		return nil, err
	}
	defer progress.Close()
	view := viewExec(e)
	begun := api.StreamsBegun{Exec: &view, InputClosed: e.InputClosed}
	v := &conversation{manager: m, ref: ref, backend: e.Backend, stdio: e.Stdio, stdin: files.Stdin, progress: progress, to: to}
	err = v.run(ctx, func(ctx context.Context, begin func(api.StreamsBegun) error) error {
		if e.Stdio.Pipes {
			return v.pipes(ctx, files.Stdout, files.Stderr, begun, begin)
		}
		opts := api.LogOptions{From: to.From, Follow: true, Dropped: to.Dropped}
		opts.Begun = func(at api.Cursor) error {
			begun.Cursor = at
			return begin(begun)
		}
		return m.copyExec(ctx, e, opts, v.output)
	})
	if err != nil {
		return nil, err
	}
	return m.waitExec(ctx, ref)
}

// output passes output on, if the client wants it.
func (v *conversation) output(s api.Stream, data []byte) error {
	if v.to.Output == nil {
		return nil
	}
	return v.to.Output(s, data)
}

// pipes passes on what an exec writes to its FIFOs, each byte once.
func (v *conversation) pipes(ctx context.Context, stdout, stderr string, begun api.StreamsBegun, begin func(api.StreamsBegun) error) error {
	out, err := openPipe(ctx, stdout, v.progress.Stdout, v.to.From.Stdout)
	if err != nil {
		return err
	}
	defer out.Close()
	errs, err := openPipe(ctx, stderr, v.progress.Stderr, v.to.From.Stderr)
	if err != nil {
		return err
	}
	defer errs.Close()
	begun.Cursor = api.Cursor{Attempt: v.ref.Attempt, Stdout: v.progress.Stdout.Done(), Stderr: v.progress.Stderr.Done()}
	if err := begin(begun); err != nil {
		return err
	}
	ending, leave := v.manager.await(v.ref)
	defer leave()
	live, over := context.WithCancel(ctx) // ends when nothing more comes
	defer over()
	if end, err := v.manager.execEndOf(v.ref); end != nil || err != nil {
		over()
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-ending.done:
			over()
		case <-live.Done():
		}
	})
	var one sync.Mutex // stream at a time goes to the client
	results := make([]error, 2)
	for i, r := range []*pipes.Reader{out, errs} {
		wg.Go(func() {
			s := []api.Stream{api.Stdout, api.Stderr}[i]
			results[i] = drain(ctx, live, r, func(data []byte) error {
				one.Lock()
				defer one.Unlock()
				return v.output(s, data)
			})
			if results[i] != nil {
				over()
			}
		})
	}
	wg.Wait()
	return errors.Join(results...)
}

// openPipe opens the FIFO of an output whose client has the bytes up to an offset.
func openPipe(ctx context.Context, path string, counter *pipes.Counter, have int64) (*pipes.Reader, error) {
	if err := counter.Torn(); err != nil {
		return nil, err
	}
	r, err := pipes.OpenReader(path, counter)
	if err != nil {
		return nil, err
	}
	// An earlier host did not live to see the last acknowledgement.
	if missed := have - counter.Done(); missed > 0 {
		var data []byte
		if data, err = r.Next(ctx); err == nil && int64(len(data)) < missed {
			err = executor.Errorf(executor.Invalid, "the client has %d bytes, and only %d were written", have, counter.Done()+int64(len(data)))
		}
		if err == nil {
			err = r.Take(int(missed))
		}
	}
	if err != nil {
		_ = r.Close()
		return nil, err
	}
	return r, nil
}

// emptyPause is the wait before a FIFO without a writer is looked at again. There may be
// none for a moment; that there will be none is known by the end of the process.
const emptyPause = 20 * time.Millisecond

// drain passes on what is in a FIFO, and takes it when it has arrived, until live has ended
// and nothing is left.
func drain(ctx, live context.Context, r *pipes.Reader, pass func([]byte) error) error {
	for {
		ended := live.Err() != nil
		data, err := r.Next(live)
		switch {
		case err == nil:
			if err := pass(data); err != nil {
				return err
			}
			if err := r.Take(len(data)); err != nil {
				return err
			}
		case errors.Is(err, io.EOF) && !ended:
			select {
			case <-time.After(emptyPause):
			case <-live.Done():
			}
		case errors.Is(err, io.EOF), live.Err() != nil:
			return ctx.Err()
		default:
			return err
		}
	}
}
