package host

import (
	"context"
	"iter"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

// A reference is an id, a name or the beginning of an id.

// Create makes a container and starts it, unless NoStart is set. It checks opts before it
// makes anything. A container that then cannot be started stays, in state failed, unless
// AutoRemove is set.
func (h *Host) Create(ctx context.Context, opts api.ContainerOptions) (api.Container, error) {
	return h.containers.Create(ctx, opts.Located())
}

// Run makes a container, copies its output to sink until it has ended, and returns
// its end; see [Host.RunAttached]. started and sink may be nil.
func (h *Host) Run(ctx context.Context, opts api.ContainerOptions, started func(api.Container) error, sink api.Sink) (*api.End, error) {
	return h.RunAttached(ctx, opts, api.Attachment{Started: started, Output: sink})
}

// RunAttached makes a container, copies its output to the caller until the first
// attempt has ended, and returns the end of that attempt. A restart policy goes on
// afterwards, as it does after Docker's run. The container runs on when ctx ends.
// An automatic removal waits for RunAttached to return.
//
// A request that is repeated is attached to the container that it made the first
// time.
func (h *Host) RunAttached(ctx context.Context, opts api.ContainerOptions, to api.Attachment) (*api.End, error) {
	return h.containers.RunAttached(ctx, opts.Located(), to)
}

// Attach copies the output of an attempt to sink until the attempt has ended, and
// returns its end: what RunAttached does once the container runs. It sets Follow in
// opts. An automatic removal waits for Attach to return.
func (h *Host) Attach(ctx context.Context, reference string, opts api.LogOptions, sink api.Sink) (*api.End, error) {
	return h.containers.Attach(ctx, reference, opts, sink)
}

// Start starts a container that was made without a start, or that has ended once more. The
// error for one that has not ended is [executor.FailedPrecondition].
func (h *Host) Start(ctx context.Context, reference string) (api.Container, error) {
	return h.containers.Start(ctx, reference)
}

// Kill sends a signal to a container's first process. The error for a container that
// does not run is [executor.FailedPrecondition].
func (h *Host) Kill(ctx context.Context, reference string, sig executor.Signal) error {
	return h.containers.Kill(ctx, reference, sig)
}

// Stop sends a container its stop signal, kills it if it has not ended after timeout,
// and waits for its end. [api.OwnStopTimeout] is the container's own; any other negative
// timeout waits for ever. Stopping a container that has ended does nothing. One that is
// being created has the timeout to come to run; then its start is cut short and undone.
// The error is an [api.PendingError] if the backend does not answer: it is stopped later.
func (h *Host) Stop(ctx context.Context, reference string, timeout time.Duration) error {
	return h.StopWith(ctx, reference, api.StopOptions{Timeout: &timeout})
}

// StopWith is [Host.Stop] with more options.
func (h *Host) StopWith(ctx context.Context, reference string, opts api.StopOptions) error {
	return h.containers.Stop(ctx, reference, opts)
}

// Remove removes a container that has ended, with its output. If force is set, a
// container that has not ended is killed first, and the start of one that is being created
// is cut short; otherwise the error is [executor.FailedPrecondition]. The error is an
// [api.PendingError] if the backend does not answer: it is removed later.
func (h *Host) Remove(ctx context.Context, reference string, force bool) error {
	return h.containers.Remove(ctx, reference, force)
}

// RemoveWith is [Host.Remove] with more options.
func (h *Host) RemoveWith(ctx context.Context, reference string, opts api.RemoveOptions) error {
	return h.containers.RemoveWith(ctx, reference, opts)
}

// Wait waits for the end of a container's present attempt and returns it. The error
// for a container that could not be started is [executor.FailedPrecondition].
func (h *Host) Wait(ctx context.Context, reference string) (*api.End, error) {
	return h.containers.WaitAttempt(ctx, reference, 0)
}

// WaitAttempt is like Wait for any attempt, also one that ended long ago; 0 means the
// present one. The error for an attempt that never was is [executor.NotFound].
func (h *Host) WaitAttempt(ctx context.Context, reference string, attempt int) (*api.End, error) {
	return h.containers.WaitAttempt(ctx, reference, attempt)
}

// WaitFor waits for a condition, and returns the end of the last attempt, or nil if it is
// not known any more. For [api.WaitNextExit] attempt may name the attempt, which need not
// have begun; 0 is the present one, or the next if nothing runs. The error of
// [api.WaitNotRunning] for what was never started is [executor.FailedPrecondition], and so is
// that of [api.WaitHealthy] for what has no health check, or has ended for good; there is no
// end when that is over.
func (h *Host) WaitFor(ctx context.Context, reference string, condition api.WaitCondition, attempt int) (*api.End, error) {
	return h.containers.WaitFor(ctx, reference, condition, attempt)
}

// Inspect returns a container.
func (h *Host) Inspect(reference string) (api.Container, error) {
	return h.containers.Inspect(reference)
}

// List returns the containers that each of opts selects, oldest first; without opts, all.
func (h *Host) List(opts ...api.ListOptions) ([]api.Container, error) {
	all, err := h.containers.List()
	return api.Select(all, opts...), err
}

// Logs copies the output of an attempt of a container to sink.
func (h *Host) Logs(ctx context.Context, reference string, opts api.LogOptions, sink api.Sink) error {
	return h.containers.Logs(ctx, reference, opts, sink)
}

// Events returns the events after a cursor: first those that are kept, then new ones
// as they come, without a gap. The error for a cursor before the oldest event that is
// kept is [executor.FailedPrecondition]; begin anew with EventCursors.
func (h *Host) Events(ctx context.Context, after uint64) iter.Seq2[api.Event, error] {
	return h.containers.Events(ctx, after)
}

// EventCursors returns the cursor before the oldest event that is kept, and the cursor
// after the newest. A cursor is the Seq of the last event that its reader has seen.
func (h *Host) EventCursors() (oldest, newest uint64, err error) {
	return h.containers.EventCursors()
}
