package api

import "github.com/davit-run/davit/shared/executor"

// DeniedError is the error of a request that the rules of the host do not allow its caller. The
// code is [executor.FailedPrecondition]. The HTTP API answers with status 403.
type DeniedError struct {
	// Reason says what is not allowed, which rule is missing, and what to do.
	Reason error
}

func (e *DeniedError) Error() string { return e.Reason.Error() }
func (e *DeniedError) Unwrap() error { return e.Reason }

// Denied returns a DeniedError.
func Denied(format string, args ...any) error {
	return &DeniedError{executor.Errorf(executor.FailedPrecondition, format, args...)}
}
