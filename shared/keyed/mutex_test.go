package keyed

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestMutex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Mutex
		var wg sync.WaitGroup
		within := map[string]int{}
		for range 10 {
			for _, key := range []string{"a", "b"} {
				wg.Go(func() {
					unlock, err := m.Lock(t.Context(), key)
					if err != nil {
						t.Error(err)
						return
					}
					m.mu.Lock()
					within[key]++
					if within[key] > 1 {
						t.Errorf("two have key %s", key)
					}
					m.mu.Unlock()
					time.Sleep(time.Second)
					m.mu.Lock()
					within[key]--
					m.mu.Unlock()
					unlock()
				})
			}
		}
		begin := time.Now()
		wg.Wait()
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("10 users of each of two keys, a second each: got %v", took)
		}
		if len(m.keys) > 0 {
			t.Errorf("keys that nobody has: got %v", m.keys)
		}
	})
}

func TestLockEndsWithItsContext(t *testing.T) {
	var m Mutex
	unlock, err := m.Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	why := errors.New("why")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := m.Lock(ctx, "a"); !errors.Is(err, why) {
		t.Errorf("held: got %v, want the cause", err)
	}
	if _, err := m.Lock(ctx, "b"); !errors.Is(err, why) {
		t.Errorf("free: got %v, want the cause", err)
	}
	unlock()
	if unlock, err = m.Lock(t.Context(), "b"); err != nil {
		t.Errorf("afterwards: %v", err)
	} else {
		unlock()
	}
	if len(m.keys) > 0 {
		t.Errorf("keys that nobody has: got %v", m.keys)
	}
}
