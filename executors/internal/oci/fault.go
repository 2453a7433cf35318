package oci

import (
	"context"
	"errors"

	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/quirks"
	"github.com/davit-run/davit/shared/executor"
)

// Fault adds a code to an error of containerd, and strips from its message what
// containerd and shims wrapped around it. An error that has a code keeps it. The code
// comes from the class of the error, and never from its text.
func Fault(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*executor.Error](err); ok {
		return err
	}
	return &executor.Error{Code: codeOf(err), Message: quirks.Plain(err.Error()), Err: err}
}

// StartFault is Fault for the error of a start, which may be about the workload's
// command. Runtimes report that in their text alone.
func StartFault(err error, command string) error {
	err = Fault(err)
	if executor.CodeOf(err) != executor.Internal {
		return err
	}
	switch {
	case quirks.CommandNotFound(err.Error(), command):
		return &executor.Error{Code: executor.CommandNotFound, Message: err.Error(), Err: err}
	case quirks.CommandNotExecutable(err.Error(), command):
		return &executor.Error{Code: executor.CommandNotExecutable, Message: err.Error(), Err: err}
	}
	return err
}

func codeOf(err error) executor.Code {
	switch {
	case errdefs.IsUnavailable(err):
		return executor.Unavailable
	case errors.Is(err, context.Canceled):
		return executor.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return executor.DeadlineExceeded
	case errdefs.IsInvalidArgument(err):
		return executor.Invalid
	case errdefs.IsFailedPrecondition(err):
		return executor.FailedPrecondition
	}
	// Not found and the like are about containerd's own objects, or about a file that
	// runc missed. They do not say that the container does not exist.
	return executor.Internal
}
