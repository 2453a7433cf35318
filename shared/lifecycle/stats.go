package lifecycle

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
)

// Meter is implemented by processes that can be measured.
type Meter interface {
	// Stats returns what the process and all that it has started use. The error is
	// [ErrEnded] if the process has ended.
	Stats(ctx context.Context) (executor.Stats, error)
}

var measuring = forwards[Meter](executor.CapStats)

// Stats implements [executor.Meter].
func (b *Backend[J, P]) Stats(ctx context.Context, ref executor.Ref) (stats executor.Stats, err error) {
	err = forward(ctx, b, measuring, ref, func(p Meter, _ *attempt[P]) (err error) {
		stats, err = p.Stats(ctx)
		return err
	})
	return stats, err
}
