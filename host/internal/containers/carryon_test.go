package containers

import (
	"context"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/volumes"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// TestCreateThatPanics panics when it is recorded that a container is to be started.
func TestCreateThatPanics(t *testing.T) {
	m := openManager(t, nil)
	record, spec, _, err := m.prepare(t.Context(), newID(), program(t, "exit 5"))
	if err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is gone")
			}
		}()
		_ = m.carryOn(record.ID, func() error {
			if _, _, err := m.recordIntent(t.Context(), record, spec, new(volumes.Use)); err != nil {
				t.Error(err)
			}
			panic("a fault")
		})
	}()
	wantCode(t, mustWait(t, m, record.ID), 5)
	// One that was not recorded yet is none.
	func() {
		defer func() { _ = recover() }()
		_ = m.carryOn("unknown", func() error { panic("a fault") })
	}()
	if _, err := m.record("unknown"); executor.CodeOf(err) != executor.NotFound {
		t.Errorf("got %v, want not found", err)
	}
}

// faulty is a context of a request, which panics from a moment on.
type faulty struct {
	context.Context
	now func() bool
}

func (f faulty) Done() <-chan struct{} {
	if f.now() {
		panic("a fault")
	}
	return f.Context.Done()
}

// TestRequestsThatPanic panics when it is recorded what is wanted of a container that runs.
func TestRequestsThatPanic(t *testing.T) {
	for _, tt := range []struct {
		name     string
		request  func(context.Context, *Manager, string) error
		recorded func(*store.Container) bool
		done     func(*store.Container, error) bool
	}{
		{
			"stop",
			func(ctx context.Context, m *Manager, id string) error { return m.Stop(ctx, id, api.StopOptions{}) },
			func(c *store.Container) bool { return c.Desired == store.WantStopped },
			func(c *store.Container, err error) bool { return err == nil && ended(c) },
		},
		{
			"remove",
			func(ctx context.Context, m *Manager, id string) error { return m.Remove(ctx, id, true) },
			func(c *store.Container) bool { return c.Desired == store.WantRemoved },
			func(_ *store.Container, err error) bool { return executor.CodeOf(err) == executor.NotFound },
		},
		{
			"restart",
			func(ctx context.Context, m *Manager, id string) error {
				_, err := m.Restart(ctx, id, api.StopOptions{})
				return err
			},
			func(c *store.Container) bool { return c.Again },
			func(c *store.Container, err error) bool {
				return err == nil && c.Attempt == 2 && c.State == store.Running
			},
		},
		{
			"update",
			func(ctx context.Context, m *Manager, id string) error { return m.Update(ctx, id, limits(64*mib)) },
			func(c *store.Container) bool { return c.Updating },
			func(c *store.Container, err error) bool { return err == nil && !c.Updating },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := openManager(t, nil)
			c := mustCreate(t, m, program(t, "sleep 1000"))
			defer func() { _ = m.Remove(context.Background(), c.ID, true) }()
			panicked := func() (fault any) {
				defer func() { fault = recover() }()
				ctx := faulty{t.Context(), func() bool {
					now, err := m.record(c.ID)
					return err == nil && tt.recorded(now)
				}}
				t.Errorf("there was no panic: %v", tt.request(ctx, m, c.ID))
				return nil
			}()
			if panicked != "a fault" {
				t.Fatalf("got panic %v", panicked)
			}
			wait.Until(t, "what was recorded is done", func() bool {
				now, err := m.record(c.ID)
				return tt.done(now, err)
			})
		})
	}
}
