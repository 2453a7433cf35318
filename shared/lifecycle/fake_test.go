package lifecycle_test

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// machine is a technology: what runs on it outlives the backends.
type machine struct {
	mu    sync.Mutex
	procs map[string]*proc // by id
	// start, if set, is called before a process is made.
	start func(ctx context.Context, w executor.Workload) error
	// invalid is what Prepare returns.
	invalid error
	// startFound, if set, starts what was found Created.
	startFound func(ctx context.Context, p *proc) error
	stuck      bool // so that nothing can be removed
	listsAll   bool // also what the backend knows
	// listing, if set, is called in the middle of a List.
	listing func()
	// record is what Record returns.
	record error
	starts int
	// checkpoints are those that were made.
	checkpoints []executor.Checkpoint
	inherits    []string
}

// proc is a process on the machine.
type proc struct {
	st       executor.Status
	phase    lifecycle.Phase
	frozen   bool
	signals  []executor.Signal
	adopted  executor.Stdio
	released int
	ended    chan struct{}
}

func newMachine() *machine { return &machine{procs: map[string]*proc{}} }

func (m *machine) add(ref executor.Ref, phase lifecycle.Phase) *proc {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := &proc{st: executor.Status{Ref: ref, State: executor.Running, StartedAt: time.Now()}, phase: phase, ended: make(chan struct{})}
	if phase == lifecycle.NeverRan {
		p.st = executor.Status{Ref: ref}
	}
	m.procs[ref.ID] = p
	return p
}

func (m *machine) proc(id string) *proc {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.procs[id]
}

// end ends a process.
func (m *machine) end(id string, code int) {
	m.endWith(id, &executor.Exit{Code: &code, Source: executor.Observed})
}

func (m *machine) endWith(id string, exit *executor.Exit) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.procs[id]
	p.phase, p.st.State, p.st.Exit = lifecycle.Ended, executor.Exited, exit
	close(p.ended)
}

// driver drives the machine.
type driver struct{ *machine }

func (d driver) Prepare(_ context.Context, w executor.Workload) (*executor.Workload, error) {
	return &w, d.invalid
}

func (d driver) Start(ctx context.Context, w *executor.Workload) (*handle, executor.Status, error) {
	if d.proc(w.Ref.ID) != nil {
		return nil, executor.Status{}, fmt.Errorf("%s: %w", w.Ref, lifecycle.ErrInTheWay)
	}
	if d.start != nil {
		if err := d.start(ctx, *w); err != nil {
			return nil, executor.Status{}, err
		}
	}
	p := d.add(w.Ref, lifecycle.Running)
	d.starts++
	return &handle{d.machine, p, w.Ref.ID}, p.st, nil
}

func (d driver) Find(_ context.Context, ref executor.Ref) (lifecycle.Found[*handle], bool, error) {
	p := d.proc(ref.ID)
	if p == nil {
		return lifecycle.Found[*handle]{}, false, nil
	}
	return d.found(ref.ID, p), true, nil
}

func (d driver) found(id string, p *proc) lifecycle.Found[*handle] {
	d.mu.Lock()
	defer d.mu.Unlock()
	st := p.st
	if p.frozen && p.phase == lifecycle.Running {
		st.State = executor.Paused
	}
	if st.Exit != nil {
		exit := *st.Exit
		exit.Source = executor.Recovered
		st.Exit = &exit
	}
	return lifecycle.Found[*handle]{Process: &handle{d.machine, p, id}, Phase: p.phase, Status: st}
}

func (d driver) List(_ context.Context, known func(id, exec string) bool) (list []lifecycle.Found[*handle], err error) {
	d.mu.Lock()
	ids := maps.Clone(d.procs)
	d.mu.Unlock()
	if d.listing != nil {
		d.listing()
	}
	for id, p := range ids {
		if !known(id, "") || d.listsAll {
			list = append(list, d.found(id, p))
		}
	}
	return list, nil
}

func (d driver) Inherit(_ *executor.Workload, from *handle) { d.inherits = append(d.inherits, from.id) }

type handle struct {
	m  *machine
	p  *proc
	id string
}

func (h *handle) Wait(ctx context.Context) (*executor.Exit, error) {
	select {
	case <-h.p.ended:
		h.m.mu.Lock()
		defer h.m.mu.Unlock()
		exit := *h.p.st.Exit
		return &exit, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (h *handle) Record(context.Context, *executor.Exit) error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	return h.m.record
}

func (h *handle) Release(context.Context) (executor.Output, error) {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	h.p.released++
	h.p.st.State, h.p.st.Output = executor.Released, executor.Complete
	return executor.Complete, nil
}

func (h *handle) Signal(_ context.Context, sig executor.Signal) error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if h.p.phase == lifecycle.Ended {
		return lifecycle.ErrEnded
	}
	h.p.signals = append(h.p.signals, sig)
	return nil
}

func (h *handle) Start(ctx context.Context) error {
	if h.m.startFound != nil {
		return h.m.startFound(ctx, h.p)
	}
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	h.p.phase = lifecycle.Running
	return nil
}

func (h *handle) Adopt(stdio executor.Stdio) { h.p.adopted = stdio }

func (h *handle) Remove(ctx context.Context) error {
	if h.m.stuck {
		<-ctx.Done()
		return ctx.Err()
	}
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	delete(h.m.procs, h.id)
	return nil
}

func (h *handle) Checkpoint(_ context.Context, c executor.Checkpoint) error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	h.m.checkpoints = append(h.m.checkpoints, c)
	return nil
}

func (h *handle) Pause(context.Context) error  { h.freeze(true); return nil }
func (h *handle) Resume(context.Context) error { h.freeze(false); return nil }

func (h *handle) freeze(on bool) {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	h.p.frozen = on
}

// reports is a host.
type reports struct {
	mu       sync.Mutex
	refuse   error // what Exited returns
	exited   []executor.Status
	released []executor.Ref
}

func (r *reports) Exited(_ context.Context, st executor.Status) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse != nil {
		return r.refuse
	}
	r.exited = append(r.exited, st)
	return nil
}

func (r *reports) Released(_ context.Context, ref executor.Ref, _ executor.Output) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.released = append(r.released, ref)
	return nil
}

// backend is a backend under test.
type backend struct {
	*lifecycle.Backend[*executor.Workload, *handle]
	*machine
	*reports
	t *testing.T
}

func ref(id string, attempt int) executor.Ref { return executor.Ref{ID: id, Attempt: attempt} }

func workload(attempt int) executor.Workload {
	return executor.Workload{Ref: ref("a", attempt), Stdio: executor.Stdio{Stdout: executor.Stream{Kind: executor.StreamFile, Path: "/out"}}}
}

// test runs fn in a bubble of its own, on a new machine.
func test(t *testing.T, fn func(t *testing.T, b backend)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := open(t, newMachine())
		defer b.Close(t.Context())
		fn(t, b)
	})
}

// open opens a backend, as a new process does.
func open(t *testing.T, m *machine) backend {
	r := &reports{}
	return backend{lifecycle.New(driver{m}, r, nil), m, r, t}
}

func (b backend) create(attempt int) executor.Status {
	b.t.Helper()
	st, err := b.Create(b.t.Context(), workload(attempt))
	if err != nil {
		b.t.Fatalf("Create of attempt %d: %v", attempt, err)
	}
	return st
}

func (b backend) list() []executor.Status {
	b.t.Helper()
	list, err := b.List(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return list
}

func (b backend) wantCode(what string, err error, want executor.Code) {
	b.t.Helper()
	if executor.CodeOf(err) != want {
		b.t.Errorf("%s: got %v (%s), want %q", what, err, executor.CodeOf(err), want)
	}
}
