package lifecycle

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
)

// Resizer is implemented by processes that can have a terminal.
type Resizer interface {
	// Resize sets the size of the terminal. The error is [ErrEnded] if the process has
	// ended.
	Resize(ctx context.Context, size executor.TerminalSize) error
}

var resizing = forwards[Resizer](executor.CapTerminal)

// Resize implements [executor.Resizer].
func (b *Backend[J, P]) Resize(ctx context.Context, ref executor.Ref, size executor.TerminalSize) error {
	return forward(ctx, b, resizing, ref, func(p Resizer, _ *attempt[P]) error { return p.Resize(ctx, size) })
}
