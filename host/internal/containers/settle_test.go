package containers

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/supervisor"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// slow makes the backend's starts take as long as d.
func slow(d string) func(*config.Config) {
	return func(c *config.Config) { c.Backends[0].Config = map[string]any{"create_delay": d} }
}

func (m *Manager) info() supervisor.Info { return m.backends.All()["a"].Info() }

// wantNothing checks that the backend has nothing, and still its first executor.
func wantNothing(t *testing.T, m *Manager) {
	t.Helper()
	session, err := m.backends.Session(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if all, err := session.List(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("the backend has %+v, %v, want nothing", all, err)
	}
	if info := m.info(); info.Starts != 1 {
		t.Errorf("there were %d executors, want 1: %s", info.Starts, info.LastError)
	}
}

// begin creates a container in the background, and returns its id and its outcome.
func begin(t *testing.T, m *Manager, opts api.ContainerOptions) (id string, created chan error) {
	t.Helper()
	opts.Name = "begun"
	created = make(chan error, 1)
	go func() {
		_, err := m.Create(context.WithoutCancel(t.Context()), opts)
		created <- err
	}()
	wait.Until(t, "it is being created", func() bool {
		c, err := m.record(opts.Name)
		if err != nil {
			return false
		}
		id = c.ID
		return m.isStarting(id)
	})
	return id, created
}

// A start that takes longer than its user allows fails once, and is undone.
func TestSlowStart(t *testing.T) {
	t.Run("within its time", func(t *testing.T) {
		m := openManager(t, slow("300ms"))
		opts := program(t, "exit 4")
		opts.StartTimeout = time.Hour
		wantCode(t, mustWait(t, m, mustCreate(t, m, opts).ID), 4)
	})
	for name, allow := range map[string]func(*config.Config, *api.ContainerOptions){
		"the container's time": func(_ *config.Config, o *api.ContainerOptions) { o.StartTimeout = 100 * time.Millisecond },
		"the backend's time":   func(c *config.Config, _ *api.ContainerOptions) { c.Backends[0].StartTimeout = "100ms" },
	} {
		t.Run(name, func(t *testing.T) {
			opts := program(t, "exit 4")
			m := openManager(t, func(c *config.Config) { slow("1h")(c); allow(c, &opts) })
			_, err := m.Create(t.Context(), opts)
			if !errors.Is(err, executor.DeadlineExceeded) || !strings.Contains(err.Error(), "it was not started within 100ms") {
				t.Errorf("create: got %v, want that the time was over", err)
			}
			if all, err := m.List(); err != nil || len(all) != 1 || all[0].State != api.StateFailed || !strings.Contains(all[0].Error, "within 100ms") {
				t.Errorf("got %+v, %v, want one that failed for this", all, err)
			}
			wantNothing(t, m)
		})
	}
}

// Who removes or stops a container that is being created does not wait for its start.
func TestStartIsCutShort(t *testing.T) {
	t.Run("by a removal", func(t *testing.T) {
		m := openManager(t, slow("1h"))
		id, created := begin(t, m, program(t, "exit 4"))
		if err := m.Remove(t.Context(), id, true); err != nil {
			t.Error(err)
		}
		if err := <-created; !errors.Is(err, executor.Canceled) {
			t.Errorf("create: got %v, want that it was cut short", err)
		}
		if _, err := m.record(id); !errors.Is(err, executor.NotFound) {
			t.Errorf("the record: got %v, want that it is gone", err)
		}
		wantNothing(t, m)
	})
	t.Run("by a stop, and by another", func(t *testing.T) {
		m := openManager(t, slow("1h"))
		id, created := begin(t, m, program(t, "exit 4"))
		for range 2 {
			if err := m.Stop(t.Context(), id, api.StopOptions{Timeout: new(time.Millisecond)}); err != nil {
				t.Error(err)
			}
		}
		<-created
		if c, err := m.Inspect(id); err != nil || c.State != api.StateFailed || c.Error != errStopped.Error() {
			t.Errorf("got %+v, %v, want that it was stopped before it was started", c, err)
		}
		wantNothing(t, m)
	})
	t.Run("by SIGKILL", func(t *testing.T) {
		m := openManager(t, slow("1h"))
		id, created := begin(t, m, program(t, "exit 4"))
		wait.Until(t, "it is killed", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_ = m.Kill(ctx, id, syscall.SIGKILL)
			c, err := m.Inspect(id)
			return err == nil && c.State == api.StateFailed
		})
		if err := <-created; !errors.Is(err, executor.Canceled) {
			t.Errorf("create: got %v, want that it was cut short", err)
		}
		wantNothing(t, m)
	})
	t.Run("by the end of the host", func(t *testing.T) {
		m := openManager(t, slow("1h"))
		id, created := begin(t, m, program(t, "exit 4"))
		if err := m.Drain(t.Context(), time.Millisecond); err != nil {
			t.Error(err)
		}
		<-created
		if c, err := m.Inspect(id); err != nil || c.State != api.StateFailed || !strings.Contains(c.Error, "the host was shut down") {
			t.Errorf("got %+v, %v, want that it failed for that", c, err)
		}
	})
}

// A container whose start ends its executor is tried a few times. Others that are started
// meanwhile are started, and the backend is not given up.
func TestStartThatEndsItsExecutor(t *testing.T) {
	m := openManager(t, slow("200ms"))
	others := make(chan error, 4)
	for range cap(others) {
		go func() {
			c, err := m.Create(context.WithoutCancel(t.Context()), program(t, "exit 5"))
			if err == nil {
				_, err = m.WaitAttempt(context.WithoutCancel(t.Context()), c.ID, 0)
			}
			others <- err
		}()
	}
	_, err := m.Create(t.Context(), program(t, "print stdout "+ends))
	if err == nil || !strings.Contains(err.Error(), "its start ended the executor of backend a 3 times, and is not tried again: the executor ended (exit status 9)") {
		t.Errorf("create: got %v, want that it ends its executor", err)
	}
	for range cap(others) {
		if err := <-others; err != nil {
			t.Errorf("another container: %v", err)
		}
	}
	wait.Until(t, "it has failed", func() bool {
		all, err := m.List()
		return err == nil && len(all) == cap(others)+1 && countFailed(all) == 1
	})
	if info := m.info(); info.Starts > maxDeaths+1 || info.State == supervisor.Failed {
		t.Errorf("got %d executors and the state %s, want at most %d", info.Starts, info.State, maxDeaths+1)
	}
}

func countFailed(all []api.Container) (n int) {
	for _, c := range all {
		if c.State == api.StateFailed && strings.Contains(c.Error, "ended the executor") {
			n++
		}
	}
	return n
}

// What cannot be done because the executor is stuck with the container is recorded, and
// done when it can be. Others are served meanwhile, by the same executor.
func TestRemovalOfAStuckContainerIsRecorded(t *testing.T) {
	m := openManager(t, nil)
	m.settleWait = 200 * time.Millisecond
	id, created := begin(t, m, program(t, "print stdout "+hangs))
	defer func() { <-created }()
	// What has not reached the executor is simply not started.
	wait.Until(t, "the executor is stuck", func() bool {
		c, err := m.record(id)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := os.ReadFile(m.files(c, c.Ref()).Stdout)
		return string(text) == hangs
	})
	err := m.Stop(t.Context(), id, api.StopOptions{Timeout: new(time.Millisecond)})
	if pending, ok := errors.AsType[*api.PendingError](err); !ok || !strings.Contains(pending.Error(), "its stop is recorded, and done as soon as backend a answers") {
		t.Errorf("stop: got %v, want that it is recorded", err)
	}
	err = m.Remove(t.Context(), id, true)
	if pending, ok := errors.AsType[*api.PendingError](err); !ok || !strings.Contains(pending.Error(), "its removal is recorded, and done as soon as backend a answers") {
		t.Errorf("removal: got %v, want that it is recorded", err)
	}
	wantCode(t, mustWait(t, m, mustCreate(t, m, program(t, "exit 5")).ID), 5)
	if info := m.info(); info.Starts != 1 {
		t.Errorf("there were %d executors, want 1", info.Starts)
	}
	if err := syscall.Kill(m.info().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "it is removed", func() bool {
		_, err := m.record(id)
		return errors.Is(err, executor.NotFound)
	})
}

// A stop and a removal while the backend is down are done when it is back.
func TestWishesWaitForTheBackend(t *testing.T) {
	var cfg config.Config
	m := openManager(t, func(c *config.Config) { cfg = *c })
	stopped, removed := mustCreate(t, m, program(t, "sleep 600")), mustCreate(t, m, program(t, "sleep 600"))
	ended := mustCreate(t, m, program(t, "exit 5"))
	wantCode(t, mustWait(t, m, ended.ID), 5)

	file := filepath.Join(cfg.ExecutorDirs[0], "davit-executor-memory")
	if err := os.Rename(file, file+"~"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(m.info().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "the backend has failed", func() bool { return m.info().State == supervisor.Failed })
	for what, err := range map[string]error{
		"stop":             m.Stop(t.Context(), stopped.ID, atOnce()),
		"removal by force": m.Remove(t.Context(), removed.ID, true),
		"removal":          m.Remove(t.Context(), ended.ID, false),
	} {
		if _, ok := errors.AsType[*api.PendingError](err); !ok || !errors.Is(err, executor.Unavailable) {
			t.Errorf("%s: got %v, want that it is recorded", what, err)
		}
	}
	if err := os.Rename(file+"~", file); err != nil {
		t.Fatal(err)
	}
	if end := mustWait(t, m, stopped.ID); end.Signal != syscall.SIGTERM {
		t.Errorf("the stopped one: got %+v, want that SIGTERM ended it", end.Exit)
	}
	for _, c := range []api.Container{removed, ended} {
		wait.Until(t, "it is removed", func() bool {
			_, err := m.record(c.ID)
			return errors.Is(err, executor.NotFound)
		})
	}
}

// A host that finds a start which was given up, or is not wanted any more, does not
// repeat it.
func TestReconcileUndoesWhatIsNotWanted(t *testing.T) {
	for name, tt := range map[string]struct {
		mark func(*store.Container)
		want string // the error; empty means that it is gone
	}{
		"given up": {func(c *store.Container) { c.GivenUp = "it took too long" }, "it took too long"},
		"stopped":  {func(c *store.Container) { c.Desired = store.WantStopped }, errStopped.Error()},
		"removed":  {func(c *store.Container) { c.Desired = store.WantRemoved }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := openManager(t, nil)
			record, spec, session, err := m.prepare(t.Context(), newID(), program(t, "sleep 600"))
			if err != nil {
				t.Fatal(err)
			}
			tt.mark(record)
			if err := m.store.Update(t.Context(), func(tx *store.Tx) error { return tx.CreateContainer(record, spec) }); err != nil {
				t.Fatal(err)
			}
			if tt.want != "" || name == "given up" { // it may even run
				files, err := m.makeFiles(record)
				if err != nil {
					t.Fatal(err)
				}
				if name == "given up" {
					if _, err := session.Create(t.Context(), executor.Workload{Ref: record.Ref(), Spec: spec, Runtime: record.Runtime, Stdio: files.Stdio()}); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := m.reconcileOne(t.Context(), session, record, executor.Status{}, false); err != nil {
				t.Error(err)
			}
			c, err := m.Inspect(record.ID)
			if gone := errors.Is(err, executor.NotFound); gone != (tt.want == "") || !gone && (c.State != api.StateFailed || c.Error != tt.want) {
				t.Errorf("got %+v, %v, want the error %q", c, err, tt.want)
			}
			if all, err := transport.MethodList.Call(t.Context(), session, transport.None{}); err != nil || len(all) > 0 {
				t.Errorf("the backend has %+v, %v, want nothing", all, err)
			}
		})
	}
}
