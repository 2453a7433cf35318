package lifecycle

import (
	"context"
	"sync"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/keyed"
	"github.com/hashicorp/go-hclog"
)

// Backend is an [executor.Backend] made of a driver. A type that embeds a pointer to
// it can serve as a Prototype while the pointer is nil.
type Backend[J any, P Process] struct {
	driver Driver[J, P]
	host   executor.Host
	log    hclog.Logger

	// execs serves further processes, if they are served. In such a backend, init is the
	// one of their attempts.
	execs Execs
	init  attempts
	locks keyed.Mutex // of the slots of further processes

	lifetime context.Context // of the watchers; ends in Close
	end      context.CancelFunc
	watchers sync.WaitGroup

	mu       sync.Mutex
	attempts map[slot]*attempt[P] // that are watched, or were
	creating map[slot]bool        // that have a Create under way
}

// slot identifies the place of one attempt at a time.
type slot struct{ id, exec string }

func slotOf(ref executor.Ref) slot { return slot{ref.ID, ref.Exec} }

// New returns a Backend for a driver. A nil log discards everything.
func New[J any, P Process](driver Driver[J, P], host executor.Host, log hclog.Logger) *Backend[J, P] {
	if log == nil {
		log = hclog.NewNullLogger()
	}
	b := &Backend[J, P]{
		driver:   driver,
		host:     host,
		log:      log,
		attempts: make(map[slot]*attempt[P]),
		creating: make(map[slot]bool),
	}
	b.lifetime, b.end = context.WithCancel(hclog.WithContext(context.Background(), log))
	return b
}

// Close implements [executor.Closer]. It ends the watchers and leaves workloads
// running. A type that embeds the Backend and has a Close of its own must call it.
func (b *Backend[J, P]) Close(ctx context.Context) error {
	b.end()
	b.watchers.Wait()
	if b.execs != nil {
		return b.execs.Close(ctx)
	}
	return nil
}

// begin marks a Create as under way until done is called.
func (b *Backend[J, P]) begin(ref executor.Ref) (done func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.creating[slotOf(ref)] = true
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.creating, slotOf(ref))
	}
}

// known returns the attempt in a ref's slot, nil if this process does not know any,
// and whether a Create is under way there. An attempt whose watcher has failed is not
// known: only the driver can say where it stands.
func (b *Backend[J, P]) known(ref executor.Ref) (a *attempt[P], creating bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a = b.attempts[slotOf(ref)]; a != nil && a.failed() {
		a = nil
	}
	return a, b.creating[slotOf(ref)]
}

// find asks the driver for the process in a ref's slot.
func (b *Backend[J, P]) find(ctx context.Context, ref executor.Ref) (Found[P], bool, error) {
	f, ok, err := b.driver.Find(ctx, ref)
	if err == nil && ok && f.Phase == NeverRan && f.Status.State == "" {
		f.Status = neverStarted(f.Status)
	}
	return f, ok && err == nil, err
}

// neverStarted completes the status of a process that never ran.
func neverStarted(st executor.Status) executor.Status {
	st.State, st.Exit = executor.Exited, executor.LostExit("the attempt was never started")
	return st
}

// check refuses a ref that no process can have.
func (b *Backend[J, P]) check(ref executor.Ref) error {
	if err := ref.Validate(); err != nil {
		return err
	}
	if ref.Exec != "" && b.init == nil {
		return executor.Errorf(executor.Unsupported, "%s: further processes are not offered by this executor", ref)
	}
	return nil
}

// called returns what messages call the process of a ref.
func called(ref executor.Ref) string {
	if ref.Exec != "" {
		return "process " + ref.String()
	}
	return "container " + ref.String()
}

func errUnknown(ref executor.Ref) error {
	return executor.Errorf(executor.NotFound, "%s is not known", called(ref))
}

func errEnded(ref executor.Ref) error {
	return executor.Errorf(executor.FailedPrecondition, "%s has ended", called(ref))
}
