package lifecycle

import (
	"context"
	"errors"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/trace"
)

// Create implements [executor.Backend].
func (b *Backend[J, P]) Create(ctx context.Context, w executor.Workload) (executor.Status, error) {
	if b.further(w.Ref) {
		return b.execs.Create(ctx, w)
	}
	if err := b.check(w.Ref); err != nil {
		return executor.Status{}, err
	}
	unlock, err := b.lock(ctx, w.Ref)
	if err != nil {
		return executor.Status{}, err
	}
	defer unlock()
	job, err := b.prepare(ctx, w)
	if err == nil && b.init != nil {
		err = b.init.takes(ctx, w.Ref)
	}
	if err != nil {
		return b.refused(ctx, w, err)
	}
	defer b.begin(w.Ref)()
	// Start is tried before anything is looked for, since its way is almost always
	// free.
	for tries := 1; ; tries++ {
		if err := ctx.Err(); err != nil {
			return executor.Status{}, executor.Errorf(executor.CodeOf(err), "%s is not started: %w", called(w.Ref), err)
		}
		p, st, err := b.start(ctx, job)
		if err == nil {
			b.watch(p, st)
			return st, nil
		}
		if !errors.Is(err, ErrInTheWay) {
			return executor.Status{}, err
		}
		if err := b.retry(ctx, w.Ref, job, tries, err); err != nil {
			return executor.Status{}, err
		}
		a, err := b.clearWay(ctx, w, job)
		if a != nil {
			return a.status(), nil
		}
		if err != nil && !b.patient(err) {
			return executor.Status{}, err
		}
	}
}

// prepare has the driver check a request.
func (b *Backend[J, P]) prepare(ctx context.Context, w executor.Workload) (job J, err error) {
	ctx, span := trace.Start(ctx, "prepare")
	defer func() { span.End(err) }()
	return b.driver.Prepare(ctx, w)
}

// start has the driver start a process.
func (b *Backend[J, P]) start(ctx context.Context, job J) (p P, st executor.Status, err error) {
	ctx, span := trace.Start(ctx, "start")
	defer func() { span.End(err) }()
	return b.driver.Start(ctx, job)
}

// refused returns the result of a Create that Prepare refuses. What made it possible
// may have gone since the attempt was started, such as the program or the runtime: the
// attempt then has the result that it has.
func (b *Backend[J, P]) refused(ctx context.Context, w executor.Workload, cause error) (executor.Status, error) {
	if a, _ := b.known(w.Ref); a != nil && a.ref == w.Ref {
		return a.status(), nil
	}
	f, ok, err := b.find(ctx, w.Ref)
	switch {
	case err != nil:
		return executor.Status{}, executor.Errorf(executor.CodeOf(err), "%w; and whether it was started before is not known: %w", cause, err)
	case !ok:
		return executor.Status{}, cause
	case f.Status.Ref != w.Ref:
		closeProcess(f.Process)
		return executor.Status{}, cause
	}
	a, f, err := b.adopt(ctx, f, w.Stdio)
	switch {
	case err != nil:
		return executor.Status{}, unsure(err)
	case a != nil:
		return a.status(), nil
	}
	defer closeProcess(f.Process)
	if err := f.Process.Remove(ctx); err != nil {
		return executor.Status{}, executor.Errorf(executor.OutcomeUnknown, "%w; and removing what was made failed: %w", cause, err)
	}
	return executor.Status{}, cause
}

// retry decides whether a start is tried again.
func (b *Backend[J, P]) retry(ctx context.Context, ref executor.Ref, job J, tries int, cause error) error {
	if r, ok := b.driver.(Retrier[J]); ok {
		return r.Retry(ctx, job, tries, cause)
	}
	if tries > startTries {
		return executor.Errorf(executor.AlreadyExists, "container %s is being made by somebody else", ref)
	}
	return nil
}

// patient reports whether a start is tried again after clearWay failed with err.
func (b *Backend[J, P]) patient(err error) bool {
	_, retries := b.driver.(Retrier[J])
	return retries && errors.Is(err, executor.Unavailable)
}

// clearWay deals with what is in the way of a Create. If it returns an attempt, that
// is the one that was asked for. If it returns neither an attempt nor an error, the
// way is free, and job continues what an earlier try began.
func (b *Backend[J, P]) clearWay(ctx context.Context, w executor.Workload, job J) (a *attempt[P], err error) {
	if a, _ := b.known(w.Ref); a != nil {
		return b.makeWay(ctx, w.Ref, a)
	}
	f, ok, err := b.find(ctx, w.Ref)
	if !ok {
		return nil, unsure(err)
	}
	have := f.Status.Ref.Attempt
	same := have == w.Ref.Attempt
	if same {
		defer func() { err = unsure(err) }()
		if a, f, err = b.adopt(ctx, f, w.Stdio); err != nil {
			return nil, err
		}
		if a != nil {
			return b.makeWay(ctx, w.Ref, a)
		}
	}
	switch {
	case have > w.Ref.Attempt:
		closeProcess(f.Process)
		return nil, errOlder(w.Ref, have)
	case f.Phase == Running:
		closeProcess(f.Process)
		return nil, errStillRuns(w.Ref, have)
	case f.Phase == Ended:
		return b.makeWay(ctx, w.Ref, b.watch(f.Process, f.Status))
	}
	if i, ok := b.driver.(Inheritor[J, P]); ok && same {
		i.Inherit(job, f.Process)
	}
	defer closeProcess(f.Process)
	b.forget(w.Ref)
	return nil, b.remove(ctx, w.Ref, f.Process)
}

// unsure returns the error of a call that ended with its context while there was
// something of the attempt: that it may run is not undone, and not denied.
func unsure(err error) error {
	switch executor.CodeOf(err) {
	case executor.DeadlineExceeded, executor.Canceled:
		return executor.Errorf(executor.OutcomeUnknown, "%w", err)
	}
	return err
}

// makeWay removes a known attempt that ref replaces, or returns it if it is the same
// attempt.
func (b *Backend[J, P]) makeWay(ctx context.Context, ref executor.Ref, a *attempt[P]) (*attempt[P], error) {
	switch {
	case a.ref == ref:
		return a, nil
	case a.ref.Attempt > ref.Attempt:
		return nil, errOlder(ref, a.ref.Attempt)
	case !a.status().State.Ended():
		return nil, errStillRuns(ref, a.ref.Attempt)
	}
	if err := a.handOver(ctx); err != nil {
		return nil, err
	}
	b.forget(ref)
	return nil, b.remove(ctx, ref, a.process)
}

func errOlder(ref executor.Ref, known int) error {
	return executor.Errorf(executor.FailedPrecondition, "container %s: attempt %d is known already", ref, known)
}

func errStillRuns(ref executor.Ref, known int) error {
	return executor.Errorf(executor.AlreadyExists, "container %s: attempt %d is still running", ref, known)
}
