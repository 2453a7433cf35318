package memory

import (
	"context"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// System runs workloads as goroutines. It stands for the machine: what runs on
// it outlives the backends that executors open on it. It is safe for concurrent
// use. Make one with [NewSystem].
type System struct {
	wg sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	routines map[owner][]*routine
}

// owner is what marks an attempt as a backend's own.
type owner struct{ hostID, backend string }

func ownerOf(env executor.Environment) owner { return owner{env.HostID, env.Backend} }

// NewSystem gives a system without workloads.
func NewSystem() *System { return &System{routines: map[owner][]*routine{}} }

// Executor gives the memory executor on s.
func (s *System) Executor() executor.Executor { return newExecutor(s) }

// Close kills all workloads and waits for them. Nothing can be started
// afterwards.
func (s *System) Close() error {
	s.mu.Lock()
	s.closed = true
	for _, held := range s.routines {
		for _, r := range held {
			s.wg.Go(func() { _ = r.signal(context.Background(), syscall.SIGKILL) })
		}
	}
	s.mu.Unlock()
	s.wg.Wait()
	return nil
}

func (s *System) start(_ context.Context, env executor.Environment, l launch) (holder, error) {
	p, err := parse(l.Args)
	if err != nil {
		return nil, err
	}
	out, err := openStreams(l.Stdio)
	if err != nil {
		return nil, err
	}
	r := &routine{
		system:  s,
		owner:   ownerOf(env),
		rec:     record{Ref: l.Ref, Runtime: l.Runtime, StartedAt: time.Now()},
		signals: make(chan executor.Signal),
		done:    make(chan struct{}),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		out.close()
		return nil, executor.Errorf(executor.Unavailable, "the system is closed")
	}
	s.routines[r.owner] = append(s.routines[r.owner], r)
	s.wg.Go(func() {
		in := interpreter{stdout: out.stdout, stderr: out.stderr, signals: r.signals}
		r.end = in.run(p)
		r.end.At = time.Now()
		out.close()
		close(r.done)
	})
	return r, nil
}

func (s *System) held(env executor.Environment) ([]holder, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []holder
	for _, r := range s.routines[ownerOf(env)] {
		all = append(all, r)
	}
	return all, nil
}

// routine is an attempt that runs as a goroutine.
type routine struct {
	system  *System
	owner   owner
	rec     record
	signals chan executor.Signal
	done    chan struct{} // closed at the end
	end     executor.Exit // set before done is closed
}

func (r *routine) record() record { return r.rec }

func (r *routine) exit() *executor.Exit {
	select {
	case <-r.done:
		end := r.end
		return &end
	default:
		return nil
	}
}

func (r *routine) wait(ctx context.Context) error {
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *routine) signal(ctx context.Context, sig executor.Signal) error {
	select {
	case r.signals <- sig:
		return nil
	case <-r.done:
		return errEnded(r.rec.Ref)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *routine) remove() error {
	r.system.mu.Lock()
	defer r.system.mu.Unlock()
	held := r.system.routines[r.owner]
	if i := slices.Index(held, r); i >= 0 {
		r.system.routines[r.owner] = slices.Delete(held, i, i+1)
	}
	return nil
}

func errEnded(ref executor.Ref) error {
	return executor.Errorf(executor.FailedPrecondition, "%s has ended", ref)
}
