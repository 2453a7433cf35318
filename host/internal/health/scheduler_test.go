package health

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

// bench is a scheduler in a bubble of [synctest], with what it does.
type bench struct {
	*Scheduler
	began time.Time

	mu      sync.Mutex
	log     []string
	code    int
	err     error
	takes   time.Duration
	refuses bool // Changed fails
}

// run tests a scheduler with a fake clock.
func run(t *testing.T, test func(t *testing.T, b *bench)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{began: time.Now()}
		b.Scheduler = NewScheduler(Actions{Probe: b.probe, Changed: b.changed})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { b.Run(ctx) })
		test(t, b)
		cancel()
		wg.Wait()
	})
}

func (b *bench) note(format string, args ...any) {
	b.log = append(b.log, fmt.Sprintf("%s ", time.Since(b.began))+fmt.Sprintf(format, args...))
}

func (b *bench) probe(ctx context.Context, t Target) (api.HealthResult, error) {
	b.mu.Lock()
	b.note("probe %s", t.Ref)
	takes := b.takes
	b.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return api.HealthResult{ExitCode: b.code}, b.err
}

func (b *bench) changed(_ context.Context, ref executor.Ref, s State) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note("%s %s", ref, s.Status)
	if b.refuses {
		return errors.New("the disk is full")
	}
	return nil
}

// set changes what probes do.
func (b *bench) set(code int, err error, takes time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.code, b.err, b.takes = code, err, takes
}

// refuse says whether changes cannot be recorded.
func (b *bench) refuse(is bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuses = is
}

// after lets time pass, and fails the test unless this is what happened meanwhile.
func (b *bench) after(t *testing.T, d time.Duration, want ...string) {
	t.Helper()
	time.Sleep(d)
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Equal(b.log, want) {
		t.Errorf("got\n%q, want\n%q", b.log, want)
	}
	b.log = nil
}

// target is attempt 1 of a container that was started just now.
func (b *bench) target(id string) Target {
	check := api.HealthCheck{Interval: 10 * time.Second, Retries: 2}.Resolved()
	return Target{Ref: executor.Ref{ID: id, Attempt: 1}, Check: check, StartedAt: time.Now(), State: State{Status: api.HealthStarting}}
}

func TestScheduler(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		b.Watch(b.target("a"))
		b.Watch(b.target("a")) // changes nothing
		b.after(t, 9*time.Second)
		b.set(0, nil, time.Second)
		b.after(t, 2*time.Second, "10s probe a/1", "11s a/1 healthy")
		b.after(t, 20*time.Second, "21s probe a/1") // a probe takes a second of its own
		b.set(1, nil, 0)
		b.after(t, 14*time.Second, "32s probe a/1", "42s probe a/1", "42s a/1 unhealthy")
		if s, ok := b.State(executor.Ref{ID: "a", Attempt: 1}); !ok || s.FailingStreak != 2 || len(s.Log) != 4 {
			t.Errorf("got %+v, %t", s, ok)
		}
		if _, ok := b.State(executor.Ref{ID: "a", Attempt: 2}); ok {
			t.Error("an attempt that was not begun has a state")
		}
		b.set(0, nil, 0)
		b.after(t, 10*time.Second, "52s probe a/1", "52s a/1 healthy")
	})
}

// What a probe cannot find out changes nothing, and an attempt that is over is not probed.
func TestSchedulerForgets(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		b.Watch(b.target("a"))
		b.set(1, ErrUnknown, 0)
		b.after(t, 25*time.Second, "10s probe a/1", "20s probe a/1")
		if s, ok := b.State(executor.Ref{ID: "a", Attempt: 1}); !ok || s.FailingStreak != 0 || s.Log != nil {
			t.Errorf("got %+v, %t", s, ok)
		}
		b.set(1, ErrOver, 0)
		b.after(t, time.Hour, "30s probe a/1")
		if _, ok := b.State(executor.Ref{ID: "a", Attempt: 1}); ok {
			t.Error("it is not forgotten")
		}
	})
}

// An attempt may also be forgotten at any time.
func TestForget(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		other := executor.Ref{ID: "a", Attempt: 2}
		b.Watch(b.target("a"))
		b.Forget(other)
		b.set(0, nil, 5*time.Second)
		b.after(t, 12*time.Second, "10s probe a/1")
		b.Forget(b.target("a").Ref)
		b.after(t, time.Hour)
		b.Watch(b.target("b"))
		b.Forget(b.target("b").Ref)
		b.Forget(b.target("c").Ref)
		b.after(t, time.Hour)
	})
}

// The next attempt starts anew, also while the one before it is being probed.
func TestSchedulerNextAttempt(t *testing.T) {
	for name, wait := range map[string]time.Duration{"between probes": 5 * time.Second, "during a probe": 12 * time.Second} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, b *bench) {
				b.set(0, nil, 5*time.Second)
				b.Watch(b.target("a"))
				time.Sleep(wait)
				next := b.target("a")
				next.Ref.Attempt = 2
				b.Watch(next)
				synctest.Wait()
				b.mu.Lock()
				b.log, b.began = nil, time.Now()
				b.mu.Unlock()
				b.Watch(b.target("a")) // a late one
				b.after(t, 16*time.Second, "10s probe a/2", "15s a/2 healthy")
			})
		})
	}
}

// A change that cannot be recorded is recorded after the next probe.
func TestSchedulerRecordsAgain(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		b.refuse(true)
		b.Watch(b.target("a"))
		b.after(t, 15*time.Second, "10s probe a/1", "10s a/1 healthy")
		b.refuse(false)
		b.after(t, 20*time.Second, "20s probe a/1", "20s a/1 healthy", "30s probe a/1")
	})
}

// A host takes over containers that have run for long. They keep their status and their
// phase.
func TestSchedulerTakesOver(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		for i, id := range []string{"a", "b", "c"} {
			target := b.target(id)
			target.StartedAt = target.StartedAt.Add(-time.Hour - time.Duration(i)*time.Second)
			target.State.Status = api.HealthHealthy
			b.Watch(target)
		}
		unknown := b.target("d") // when it has started
		unknown.StartedAt = time.Time{}
		b.Watch(unknown)
		future := b.target("e") // the clock was set back
		future.StartedAt = future.StartedAt.Add(time.Hour)
		b.Watch(future)
		b.set(1, nil, 0)
		b.after(t, 9*time.Second, "8s probe c/1", "9s probe b/1")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		b.mu.Lock()
		defer b.mu.Unlock()
		if slices.Sort(b.log); !slices.Equal(b.log, []string{"10s probe a/1", "10s probe d/1", "10s probe e/1"}) {
			t.Errorf("got %q", b.log)
		}
	})
}

// A probe that hangs holds up no other, and ends with the scheduler.
func TestSchedulerHangs(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		b.set(0, nil, 1000*time.Hour)
		b.Watch(b.target("a"))
		time.Sleep(15 * time.Second)
		b.set(0, nil, 0)
		b.Watch(b.target("b"))
		b.after(t, 15*time.Second, "10s probe a/1", "25s probe b/1", "25s b/1 healthy")
	})
}
