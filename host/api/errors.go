package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/davit-run/davit/shared/executor"
)

// failure is an error on the wire.
type failure struct {
	Code    executor.Code `json:"code"`
	Message string        `json:"message"`
	// Stopping means that the request ends because the host stops.
	Stopping bool `json:"stopping,omitempty"`
	// Pending means that what was asked for is recorded, and will be done.
	Pending bool `json:"pending,omitempty"`
	// Denied means that rules of the host do not let the caller do it.
	Denied bool `json:"denied,omitempty"`
}

func failureOf(err error) *failure {
	_, pending := errors.AsType[*PendingError](err)
	_, denied := errors.AsType[*DeniedError](err)
	return &failure{Code: executor.CodeOf(err), Message: err.Error(), Stopping: errors.Is(err, errStopping), Pending: pending, Denied: denied}
}

// err returns the error that f stands for.
func (f *failure) err() error {
	err := &executor.Error{Code: f.Code, Message: f.Message}
	switch {
	case f.Stopping:
		return &goneError{err}
	case f.Pending:
		return &PendingError{err}
	case f.Denied:
		return &DeniedError{err}
	}
	return err
}

// statusOf returns the HTTP status of an error, for programs that do not know codes. The
// client uses the code.
func statusOf(err error) int {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge
	}
	if _, ok := errors.AsType[*PendingError](err); ok {
		return statusPending
	}
	if _, ok := errors.AsType[*DeniedError](err); ok {
		return http.StatusForbidden
	}
	switch executor.CodeOf(err) {
	case executor.NotFound:
		return http.StatusNotFound
	case executor.AlreadyExists, executor.FailedPrecondition:
		return http.StatusConflict
	case executor.Invalid:
		return http.StatusBadRequest
	case executor.CommandNotFound, executor.CommandNotExecutable:
		return http.StatusUnprocessableEntity
	case executor.Unsupported:
		return http.StatusNotImplemented
	case executor.Unavailable:
		return http.StatusServiceUnavailable
	case executor.OutcomeUnknown:
		return http.StatusBadGateway
	case executor.DeadlineExceeded:
		return http.StatusGatewayTimeout
	case executor.Canceled:
		return 499 // the client has gone; nginx uses this number
	}
	return http.StatusInternalServerError
}

// readFailure returns the error in a response.
func readFailure(resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody))
	var f failure
	if err == nil {
		err = json.Unmarshal(body, &f)
	}
	if err != nil || f.Code == "" {
		return executor.Errorf(executor.Internal, "the host answered %q without saying why", resp.Status)
	}
	return f.err()
}

// errStopping ends the streams of a host that stops.
var errStopping = executor.Errorf(executor.Unavailable, "the host is stopping")

// cause returns why a request was ended, instead of just the context's "canceled".
func cause(ctx context.Context, err error) error {
	if why := context.Cause(ctx); ctx.Err() != nil && errors.Is(why, errStopping) {
		return why
	}
	return err
}

func invalid(format string, args ...any) error {
	return executor.Errorf(executor.Invalid, "%w", fmt.Errorf(format, args...))
}
