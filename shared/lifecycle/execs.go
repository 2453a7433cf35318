package lifecycle

import (
	"context"
	"errors"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// Execs is a [Backend] of further processes, with a driver of its own: see
// [Backend.Exec].
type Execs interface {
	executor.Backend
	executor.Closer
	// serves makes it serve the further processes of these attempts, and no others.
	serves(attempts)
	// reach calls fn with a process which runs or did a moment ago.
	reach(ctx context.Context, ref executor.Ref, fn func(p any) error) error
	// settle waits until the processes of an attempt that has ended are released, but
	// not for long.
	settle(ctx context.Context, ref executor.Ref)
	// removeOf removes all that is left of the processes of an attempt that has ended,
	// and of earlier ones.
	removeOf(ctx context.Context, ref executor.Ref) error
}

// attempts is what a backend of further processes asks of that of the first ones.
type attempts interface {
	// takes returns an error unless an attempt can have a further process.
	takes(ctx context.Context, ref executor.Ref) error
}

// Exec makes b serve the further processes of its attempts, with a Backend of a driver
// of them. It is called before b is used. A type that embeds b then declares
// [executor.CapExec].
func (b *Backend[J, P]) Exec(execs Execs) {
	b.execs = execs
	execs.serves(b)
}

func (b *Backend[J, P]) serves(init attempts) { b.init = init }

// further reports whether a ref is that of a process that another backend serves.
func (b *Backend[J, P]) further(ref executor.Ref) bool { return ref.Exec != "" && b.execs != nil }

// lock takes the lock of a further process: its attempt's end takes it up, too, and waits
// for no call. The kit has the others locked.
func (b *Backend[J, P]) lock(ctx context.Context, ref executor.Ref) (unlock func(), err error) {
	if b.init == nil {
		return func() {}, nil
	}
	return b.locks.Lock(ctx, ref.ID+"/"+ref.Exec)
}

// takes implements attempts.
func (b *Backend[J, P]) takes(ctx context.Context, ref executor.Ref) error {
	var st executor.Status
	if a, _ := b.known(ref.Init()); a != nil {
		st = a.status()
	} else {
		f, ok, err := b.find(ctx, ref.Init())
		if err != nil {
			return err
		}
		if !ok {
			return errUnknown(ref.Init())
		}
		defer closeProcess(f.Process)
		if st = f.Status; f.Phase != Running {
			st.State = executor.Exited
		}
	}
	switch err := meant(ref, st); {
	case errors.Is(err, ErrEnded):
		return errEnded(ref.Init())
	case err != nil:
		return errUnknown(ref.Init())
	case st.State == executor.Paused:
		return executor.Errorf(executor.FailedPrecondition, "%s is paused; resume it first", called(ref.Init()))
	}
	return nil
}

// reach implements Execs.
func (b *Backend[J, P]) reach(ctx context.Context, ref executor.Ref, fn func(p any) error) error {
	return b.with(ctx, ref, func(p P, _ *attempt[P]) error { return fn(p) })
}

// settleTimeout is how long the release of an attempt waits for that of its further
// processes. It is over before if their output is read.
const settleTimeout = 10 * time.Second

// settle implements Execs.
func (b *Backend[J, P]) settle(ctx context.Context, ref executor.Ref) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	found, err := b.others(ctx, ref)
	if err != nil {
		b.log.Warn("further processes of an attempt that has ended are not known", "ref", ref, "error", err)
	}
	for _, f := range found {
		if err := b.takeUp(ctx, f.Status.Ref); err != nil {
			b.log.Warn("a further process is not watched to its end", "ref", f.Status.Ref, "error", err)
		}
	}
	for _, a := range b.watched(ref) {
		select {
		case <-a.done:
		case <-ctx.Done():
			return
		}
	}
}

// takeUp watches a process that nobody has restored yet.
func (b *Backend[J, P]) takeUp(ctx context.Context, ref executor.Ref) error {
	unlock, err := b.lock(ctx, ref)
	if err != nil {
		return err
	}
	defer unlock()
	if a, _ := b.known(ref); a != nil {
		return nil
	}
	f, ok, err := b.find(ctx, ref)
	if err != nil || !ok {
		return err
	}
	if f.Status.Ref != ref || f.Phase < Running {
		closeProcess(f.Process)
		return nil
	}
	b.watch(f.Process, f.Status)
	return nil
}

// removeOf implements Execs.
func (b *Backend[J, P]) removeOf(ctx context.Context, ref executor.Ref) error {
	for _, a := range b.watched(ref) {
		b.forget(a.ref)
		if err := a.process.Remove(ctx); err != nil {
			return err
		}
	}
	found, err := b.others(ctx, ref)
	if err != nil {
		return err
	}
	for _, f := range found {
		f, ok, err := b.find(ctx, f.Status.Ref)
		if err == nil && ok {
			err = f.Process.Remove(ctx)
			closeProcess(f.Process)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// watched returns the processes of an attempt or an earlier one that this process
// watches, or has watched.
func (b *Backend[J, P]) watched(ref executor.Ref) (of []*attempt[P]) {
	known, _ := b.snapshot()
	for _, a := range known {
		if a.ref.ID == ref.ID && a.ref.Attempt <= ref.Attempt {
			of = append(of, a)
		}
	}
	return of
}

// others finds the processes of an attempt, or an earlier one, that are not watched.
func (b *Backend[J, P]) others(ctx context.Context, ref executor.Ref) (of []Found[P], err error) {
	found, err := b.driver.List(ctx, func(id, exec string) bool {
		a, _ := b.known(executor.Ref{ID: id, Exec: exec})
		return id != ref.ID || a != nil
	})
	for _, f := range found {
		if f.Status.Ref.ID == ref.ID && f.Status.Ref.Attempt <= ref.Attempt {
			of = append(of, f)
		}
	}
	return of, err
}
