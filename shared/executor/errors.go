package executor

import (
	"context"
	"errors"
	"fmt"
)

// Code classifies an error by what the caller can do about it. Codes are stable
// and cross the wire; messages are for people. A Code is itself an error, so
// that errors.Is(err, executor.NotFound) works on both sides.
type Code string

const (
	// NotFound: the thing does not exist.
	NotFound Code = "not_found"
	// AlreadyExists: the thing exists and is not what was asked for.
	AlreadyExists Code = "already_exists"
	// Invalid: the request can never succeed as it stands.
	Invalid Code = "invalid"
	// FailedPrecondition: the request is valid but not possible in the present state.
	FailedPrecondition Code = "failed_precondition"
	// Unavailable: the backend cannot be reached and nothing was done. Retrying
	// is safe and may help.
	Unavailable Code = "unavailable"
	// Unsupported: the backend does not offer this.
	Unsupported Code = "unsupported"
	// OutcomeUnknown: the call was sent and its answer never came. It may have
	// happened or not; only idempotent calls may be repeated.
	OutcomeUnknown Code = "outcome_unknown"
	// CommandNotFound and CommandNotExecutable: the workload's own command could
	// not be started. Users of a shell know them as 127 and 126.
	CommandNotFound      Code = "command_not_found"
	CommandNotExecutable Code = "command_not_executable"
	// DeadlineExceeded and Canceled: ctx ended first. They match
	// context.DeadlineExceeded and context.Canceled.
	DeadlineExceeded Code = "deadline_exceeded"
	Canceled         Code = "canceled"
	// Internal: a fault of the executor or the host.
	Internal Code = "internal"
)

// Error implements error, so that a Code can be the target of errors.Is.
func (c Code) Error() string { return string(c) }

// Error is an error with a code.
type Error struct {
	Code    Code
	Message string
	// Err is what the error wraps on the side that made it. It does not cross
	// the wire; its text is expected to be part of Message.
	Err error
}

// Error returns the message, or the code if there is none.
func (e *Error) Error() string {
	if e.Message == "" {
		return string(e.Code)
	}
	return e.Message
}

// Unwrap makes errors.Is find the code, what the code stands for in the
// standard library, and the wrapped error.
func (e *Error) Unwrap() []error {
	errs := []error{e.Code}
	switch e.Code {
	case DeadlineExceeded:
		errs = append(errs, context.DeadlineExceeded)
	case Canceled:
		errs = append(errs, context.Canceled)
	}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}

// Errorf returns an [Error]. As with fmt.Errorf, %w wraps.
func Errorf(code Code, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	wrapped := errors.Unwrap(err)
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		wrapped = errors.Join(many.Unwrap()...)
	}
	return &Error{Code: code, Message: err.Error(), Err: wrapped}
}

// CodeOf returns the code of err, [Internal] if it carries none, and "" for nil.
// The outermost code wins.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	if c, ok := errors.AsType[Code](err); ok {
		return c
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return Canceled
	}
	return Internal
}
