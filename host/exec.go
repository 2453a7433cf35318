package host

import (
	"context"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

// Exec starts a further process in a container that runs, and leaves it running. Its output
// goes to files; see [Host.ExecLogs]. A request that is repeated, with the same id, returns
// the exec that it made the first time. A command that cannot be started is an error, and
// leaves nothing.
func (h *Host) Exec(ctx context.Context, reference string, opts api.ExecOptions) (api.Exec, error) {
	return h.containers.Exec(ctx, reference, opts)
}

// ExecAttached starts a further process in a container that runs, attaches the caller to its
// streams, and returns its end. A command that cannot be started is an error before Begun is
// called. A repeated request, with the same id, is attached to the exec that the first one
// made, in the place of its client. If ctx ends first, the exec is hung up, and then killed,
// unless Keep is set.
func (h *Host) ExecAttached(ctx context.Context, reference string, opts api.ExecOptions, to api.Streams) (*api.End, error) {
	return h.containers.ExecAttached(ctx, reference, opts, to)
}

// Execs returns the further processes of a container, oldest first, with the last of those
// that have ended.
func (h *Host) Execs(reference string) ([]api.Exec, error) { return h.containers.Execs(reference) }

// InspectExec returns a further process of a container. exec is its id, or the beginning of
// it.
func (h *Host) InspectExec(reference, exec string) (api.Exec, error) {
	return h.containers.InspectExec(reference, exec)
}

// WaitExec waits for the end of a further process and returns it.
func (h *Host) WaitExec(ctx context.Context, reference, exec string) (*api.End, error) {
	return h.containers.WaitExec(ctx, reference, exec)
}

// KillExec sends a signal to a further process. The error for one that has ended is
// [executor.FailedPrecondition].
func (h *Host) KillExec(ctx context.Context, reference, exec string, sig executor.Signal) error {
	return h.containers.KillExec(ctx, reference, exec, sig)
}

// ExecLogs copies the output of a further process to sink, if it goes to files, as opts say.
// With Follow it goes on until the process has ended. There are no attempts to choose from.
func (h *Host) ExecLogs(ctx context.Context, reference, exec string, opts api.LogOptions, sink api.Sink) error {
	return h.containers.ExecLogs(ctx, reference, exec, opts, sink)
}
