package executor

import "context"

// CapCheck is the capability of a [Checker].
var CapCheck = capability[Checker]("check")

// Checker is implemented by backends that can examine the live system for what would
// keep workloads from running.
type Checker interface {
	// Check returns its findings. It changes nothing.
	Check(ctx context.Context) ([]Diagnostic, error)
}
