package api

import (
	"net/http"

	"github.com/davit-run/davit/shared/executor"
)

// PendingError is the error of a request that the host has recorded, could not carry out
// yet, and carries out as soon as it can, also after a restart. There is no need to ask
// again. The HTTP API answers with status 202.
type PendingError struct {
	// Reason says what was recorded, and what it waits for.
	Reason error
}

func (e *PendingError) Error() string { return e.Reason.Error() }
func (e *PendingError) Unwrap() error { return e.Reason }

// statusPending is the HTTP status of what is recorded and not done yet.
const statusPending = http.StatusAccepted

// Pending returns a PendingError.
func Pending(code executor.Code, format string, args ...any) error {
	return &PendingError{executor.Errorf(code, format, args...)}
}
