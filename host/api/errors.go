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
	// Stopping says that it is the host's own stop that ends the request.
	Stopping bool `json:"stopping,omitempty"`
}

func failureOf(err error) *failure {
	return &failure{Code: executor.CodeOf(err), Message: err.Error(), Stopping: errors.Is(err, errStopping)}
}

// err gives the error that f stands for.
func (f *failure) err() error {
	err := &executor.Error{Code: f.Code, Message: f.Message}
	if f.Stopping {
		return &goneError{err}
	}
	return err
}

// statusOf gives the HTTP status of an error. It is for programs that know
// nothing of codes; the client goes by the code.
func statusOf(err error) int {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge
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
		return 499 // the client has gone, as nginx says it
	}
	return http.StatusInternalServerError
}

// readFailure gives the error in a response.
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

// cause gives the reason of a request's end in place of a context's mere
// "canceled".
func cause(ctx context.Context, err error) error {
	if why := context.Cause(ctx); ctx.Err() != nil && errors.Is(why, errStopping) {
		return why
	}
	return err
}

func invalid(format string, args ...any) error {
	return executor.Errorf(executor.Invalid, "%w", fmt.Errorf(format, args...))
}
