package lifecycle

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
)

// InputCloser is implemented by processes that can have an input.
type InputCloser interface {
	// CloseInput ends the input once nobody else has it open for writing. Repeating it
	// changes nothing. The error is [ErrEnded] if the process has ended.
	CloseInput(ctx context.Context) error
}

var closingInput = forwards[InputCloser](executor.CapStdin)

// CloseInput implements [executor.InputCloser].
func (b *Backend[J, P]) CloseInput(ctx context.Context, ref executor.Ref) error {
	return forward(ctx, b, closingInput, ref, func(p InputCloser, _ *attempt[P]) error { return p.CloseInput(ctx) })
}
