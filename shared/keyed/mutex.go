// Package keyed provides keyed locks: calls with the same key run one after another,
// all others at the same time.
package keyed

import (
	"context"
	"sync"
)

// Mutex is a mutex per key whose waiting ends with a context. The zero value is
// ready. Keys that nobody has or waits for take no memory.
type Mutex struct {
	mu   sync.Mutex
	keys map[string]*lock
}

type lock struct {
	token chan struct{} // has one value while the key is free
	users int           // holder and waiters
}

// Lock waits until nobody else has the lock of a key. unlock is called once. The
// error is the cause of ctx's end.
func (k *Mutex) Lock(ctx context.Context, key string) (unlock func(), err error) {
	k.mu.Lock()
	l := k.keys[key]
	if l == nil {
		l = &lock{token: make(chan struct{}, 1)}
		l.token <- struct{}{}
		if k.keys == nil {
			k.keys = map[string]*lock{}
		}
		k.keys[key] = l
	}
	l.users++
	k.mu.Unlock()

	leave := func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(k.keys, key)
		}
	}
	select {
	case <-l.token:
		if ctx.Err() == nil {
			return func() { l.token <- struct{}{}; leave() }, nil
		}
		// Both were ready. A call whose context has ended must not run.
		l.token <- struct{}{}
	case <-ctx.Done():
	}
	leave()
	return nil, context.Cause(ctx)
}
