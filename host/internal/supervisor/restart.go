package supervisor

import (
	"context"
	"fmt"

	"github.com/davit-run/davit/shared/transport"
)

// Restart ends the executor in good order and starts the program that is installed now.
// Workloads run on. It returns when the backend is ready again. The new program is asked
// first, without the backend: if it cannot be started, or does not take the settings, the
// old one stays. A backend that is down is tried again at once.
func (b *Backend) Restart(ctx context.Context) error {
	session, info := b.present(ctx)
	err := ask(ctx, b.config, func(client transport.Client, hello transport.HelloReply) error {
		if b.config.Environment == nil {
			return nil
		}
		_, err := b.config.Environment(ctx, client, hello.Description)
		return err
	})
	switch {
	case err != nil && session != nil:
		return fmt.Errorf("backend %s: the installed program is no good, and the executor that runs is kept: %w", info.Name, err)
	case err != nil:
		return fmt.Errorf("backend %s is %s, and the installed program is no good: %w", info.Name, info.State, err)
	case session == nil:
		select {
		case b.retry <- struct{}{}:
		default: // somebody else has asked for it
		}
		return b.awaitNext(ctx, nil, info)
	}
	b.mu.Lock()
	b.restart = b.session == session // else it has just ended, and the next one comes
	asked := b.restart
	b.mu.Unlock()
	if asked {
		if err := closeBackend(ctx, session.Client); err != nil {
			b.takeRestart()
			return err
		}
		_ = session.Close()
	}
	return b.awaitNext(ctx, session, b.Info())
}

// present returns the session, nil if the backend is down, and the state. It waits for a
// backend that is starting.
func (b *Backend) present(ctx context.Context) (*Session, Info) {
	for {
		b.mu.Lock()
		session, info, changed := b.session, b.info, b.changed
		b.mu.Unlock()
		if info.State != Starting || ctx.Err() != nil {
			return session, info
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// awaitNext waits for another session than before, or another failure than the last one
// in info.
func (b *Backend) awaitNext(ctx context.Context, before *Session, info Info) error {
	for {
		b.mu.Lock()
		next, now, changed := b.session, b.info, b.changed
		b.mu.Unlock()
		down := now.State == Waiting || now.State == Failed
		switch {
		case next != nil && next != before:
			return nil
		case down && !now.LastErrorAt.Equal(info.LastErrorAt), now.State == Stopped:
			return unavailable(now)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return unavailable(b.Info())
		}
	}
}
