package plugin

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// mortals is a backend whose workloads run until they are killed.
type mortals struct {
	fakeBackend
	creates chan struct{} // gets each Create that is under way
	mu      sync.Mutex
	running map[executor.Ref]bool // false: killed, not deleted
}

func (m *mortals) Create(_ context.Context, w executor.Workload) (executor.Status, error) {
	m.creates <- struct{}{}
	time.Sleep(100 * time.Millisecond) // it does not heed its context
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running[w.Ref] = true
	return executor.Status{Ref: w.Ref, State: executor.Running}, nil
}

func (m *mortals) List(context.Context) (all []executor.Status, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for ref := range m.running {
		all = append(all, executor.Status{Ref: ref, State: executor.Running})
	}
	return all, nil
}

func (m *mortals) Signal(_ context.Context, ref executor.Ref, _ executor.Signal) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running[ref] = false
	return nil
}

func (m *mortals) Delete(_ context.Context, ref executor.Ref) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running[ref] {
		return executor.Errorf(executor.FailedPrecondition, "runs")
	}
	delete(m.running, ref)
	return nil
}

func (m *mortals) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.running)
}

// TestLease ends the connections of hosts.
func TestLease(t *testing.T) {
	open := func(t *testing.T, ephemeral bool) (h *harness, m *mortals, hang func(), again func() error) {
		m = &mortals{creates: make(chan struct{}, 2), running: map[executor.Ref]bool{}}
		h = newHarness(t)
		h.server.executor.Open = func(context.Context, executor.Environment, executor.Host) (executor.Backend, error) { return m, nil }
		connect := func(epoch uint64) (transport.Client, error) {
			c := h.dial(&fakeHost{})
			_, err := c.Hello(t.Context(), transport.Hello{Protocol: transport.ProtocolVersion, Epoch: epoch})
			if err == nil {
				_, err = transport.MethodOpen.Call(t.Context(), c, executor.Environment{HostID: "h", Backend: "b", Ephemeral: ephemeral})
			}
			return c, err
		}
		c, err := connect(1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Create(t.Context(), executor.Workload{Ref: refA, Spec: spec}); err != nil {
			t.Fatal(err)
		}
		<-m.creates
		// A call that is under way when the host disappears.
		go func() {
			_, _ = c.Create(t.Context(), executor.Workload{Ref: executor.Ref{ID: "b", Attempt: 1}, Spec: spec})
		}()
		<-m.creates
		return h, m, func() { _ = c.Close() }, func() error { _, err := connect(2); return err }
	}
	t.Run("the host is gone", func(t *testing.T) {
		h, m, hang, again := open(t, true)
		hang()
		<-h.server.done
		if n := m.count(); n != 0 {
			t.Errorf("%d workloads outlive the host", n)
		}
		if again() == nil {
			t.Error("the next host was let in")
		}
	})
	t.Run("the next host is there", func(t *testing.T) {
		t.Parallel() // it sleeps
		_, m, hang, again := open(t, true)
		hang()
		if err := again(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(leaseGrace + 200*time.Millisecond)
		if n := m.count(); n != 2 {
			t.Errorf("got %d workloads, want 2", n)
		}
	})
	t.Run("not ephemeral", func(t *testing.T) {
		t.Parallel() // it sleeps
		_, m, hang, _ := open(t, false)
		hang()
		time.Sleep(leaseGrace + 200*time.Millisecond)
		if n := m.count(); n != 2 {
			t.Errorf("got %d workloads, want 2", n)
		}
	})
}
