package executor

import "context"

// CapTerminal is the capability of a [Resizer]. A backend that has it accepts a [Stdio]
// with Terminal set. The first size of the terminal is the consoleSize of the spec's
// process, and the first instruction sees it.
var CapTerminal = capability[Resizer]("terminal")

// Resizer is implemented by backends that give workloads a terminal.
type Resizer interface {
	// Resize sets the size of a process's terminal, and notifies the processes there if
	// that is a change. A process that has ended, or has no terminal, is
	// [FailedPrecondition], an unknown one [NotFound].
	Resize(ctx context.Context, ref Ref, size TerminalSize) error
}

// TerminalSize is the size of a terminal, in characters.
type TerminalSize struct {
	Width  uint16 `json:"width"`
	Height uint16 `json:"height"`
}

// Validate checks that neither is zero. The error is [Invalid].
func (s TerminalSize) Validate() error {
	if s.Width == 0 || s.Height == 0 {
		return Errorf(Invalid, "a terminal of %d columns and %d rows is not possible", s.Width, s.Height)
	}
	return nil
}
