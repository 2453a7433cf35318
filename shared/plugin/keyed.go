package plugin

import (
	"context"
	"sync"
)

// keyedMutex is a mutex per key whose waiting ends with a context. The zero
// value is ready.
type keyedMutex struct {
	mu   sync.Mutex
	held map[string]*turn
}

type turn struct {
	token chan struct{} // holds one value while the key is free
	users int           // holder and waiters
}

func (k *keyedMutex) lock(ctx context.Context, key string) (unlock func(), err error) {
	k.mu.Lock()
	t := k.held[key]
	if t == nil {
		t = &turn{token: make(chan struct{}, 1)}
		t.token <- struct{}{}
		if k.held == nil {
			k.held = map[string]*turn{}
		}
		k.held[key] = t
	}
	t.users++
	k.mu.Unlock()

	leave := func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if t.users--; t.users == 0 {
			delete(k.held, key)
		}
	}
	select {
	case <-t.token:
		if ctx.Err() == nil {
			return func() { t.token <- struct{}{}; leave() }, nil
		}
		// Both were ready. A call that was given up must not run.
		t.token <- struct{}{}
	case <-ctx.Done():
	}
	leave()
	return nil, context.Cause(ctx)
}
