package lifecycle

import (
	"context"
	"encoding/json"

	"github.com/davit-run/davit/shared/executor"
)

// Updater is implemented by processes whose limits can be changed.
type Updater interface {
	// Update sets limits, as [executor.Updater] says. The error is [ErrEnded] if the
	// process has ended.
	Update(ctx context.Context, resources json.RawMessage) error
}

var updating = forwards[Updater](executor.CapUpdate)

// Update implements [executor.Updater].
func (b *Backend[J, P]) Update(ctx context.Context, ref executor.Ref, resources json.RawMessage) error {
	if err := executor.CheckResources(resources); err != nil {
		return err
	}
	return forward(ctx, b, updating, ref, func(p Updater, _ *attempt[P]) error { return p.Update(ctx, resources) })
}
