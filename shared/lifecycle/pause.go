package lifecycle

import (
	"context"
	"syscall"

	"github.com/davit-run/davit/shared/executor"
)

// Pauser is implemented by processes that can be frozen.
type Pauser interface {
	// Pause freezes the process and all that it has started. When it returns nil none
	// of them runs. Pausing a paused process changes nothing.
	Pause(ctx context.Context) error
	// Resume lets them continue. Resuming a running process changes nothing.
	Resume(ctx context.Context) error
}

var pausing = forwards[Pauser](executor.CapPause)

// Pause implements [executor.Pauser].
func (b *Backend[J, P]) Pause(ctx context.Context, ref executor.Ref) error {
	return forward(ctx, b, pausing, ref, func(p Pauser, a *attempt[P]) error {
		err := p.Pause(ctx)
		if err != nil || a == nil {
			return err
		}
		a.paused(true)
		if a.wasSent(syscall.SIGKILL) {
			// The SIGKILL came first, and must not wait for a Resume.
			a.paused(false)
			return p.Resume(ctx)
		}
		return nil
	})
}

// Resume implements [executor.Pauser].
func (b *Backend[J, P]) Resume(ctx context.Context, ref executor.Ref) error {
	return forward(ctx, b, pausing, ref, func(p Pauser, a *attempt[P]) error {
		err := p.Resume(ctx)
		if err == nil && a != nil {
			a.paused(false)
		}
		return err
	})
}
