package executor

import "context"

// CapStdin is the capability of an [InputCloser]. A backend that has it accepts a
// [Stdio] whose Stdin is a FIFO: the process's input stays open, whoever opens and
// closes the FIFO for writing meanwhile, until CloseInput is called.
var CapStdin = capability[InputCloser]("stdin")

// InputCloser is implemented by backends that give workloads an input.
type InputCloser interface {
	// CloseInput ends the input of a process when what was written to its FIFO has been
	// read and nobody else has the FIFO open for writing. A terminal hangs up instead.
	// Repeating it changes nothing. A process that has ended is [FailedPrecondition], an
	// unknown one [NotFound], one without an input [FailedPrecondition].
	CloseInput(ctx context.Context, ref Ref) error
}
