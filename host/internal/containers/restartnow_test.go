package containers

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/supervisor"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// wantAttempt waits until an attempt of a container runs.
func wantAttempt(t *testing.T, m *Manager, id string, n int) {
	t.Helper()
	wait.Until(t, "the container runs again", func() bool {
		c, err := m.record(id)
		return err == nil && c.Attempt == n && c.State == store.Running
	})
}

// TestRestart restarts containers that run and that have ended, also one that is removed
// when it ends by itself.
func TestRestart(t *testing.T) {
	m := openManager(t, nil)
	opts := program(t, "sleep 600")
	opts.AutoRemove = true
	for name, opts := range map[string]api.ContainerOptions{"kept": program(t, "sleep 600"), "removed at its end": opts} {
		t.Run(name, func(t *testing.T) {
			c := mustCreate(t, m, opts)
			now, err := m.Restart(t.Context(), c.ID, api.StopOptions{})
			if err != nil || now.Attempt != 2 || now.State != api.StateRunning || now.Restarts != 0 {
				t.Errorf("got %+v, %v; want attempt 2, by a user", now, err)
			}
			end, err := m.WaitAttempt(t.Context(), c.ID, 1)
			if err != nil || end.Signal != syscall.SIGTERM {
				t.Errorf("the first attempt: %+v, %v", end, err)
			}
		})
	}
	ended := mustCreate(t, m, program(t, "exit 3"))
	wantCode(t, mustWait(t, m, ended.ID), 3)
	if now, err := m.Restart(t.Context(), ended.ID, atOnce()); err != nil || now.Attempt != 2 {
		t.Errorf("one that has ended: got %+v, %v", now, err)
	}
	if _, err := m.Restart(t.Context(), "nobody", atOnce()); !errors.Is(err, executor.NotFound) {
		t.Errorf("one that does not exist: %v", err)
	}
}

// TestRestartIsRecorded has a host that dies when it has recorded a restart.
func TestRestartIsRecorded(t *testing.T) {
	m := openManager(t, nil)
	c := mustCreate(t, m, program(t, "sleep 600"))
	err := m.store.Update(t.Context(), func(tx *store.Tx) error {
		record, err := tx.Container(c.ID)
		if err != nil {
			return err
		}
		record.Again = true
		return tx.PutContainer(record)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(m.info().PID, syscall.SIGKILL); err != nil { // the next session reconciles
		t.Fatal(err)
	}
	wantAttempt(t, m, c.ID, 2)
	if record, err := m.record(c.ID); err != nil || record.Again {
		t.Errorf("afterwards: %+v, %v", record, err)
	}
}

// TestStopWinsOverRestart stops a container that is being restarted and does not end.
func TestStopWinsOverRestart(t *testing.T) {
	m := openManager(t, nil)
	c := mustCreate(t, m, program(t, "ignore 15", "sleep 600"))
	restarted := make(chan error, 1)
	go func() {
		_, err := m.Restart(t.Context(), c.ID, api.StopOptions{Timeout: new(time.Hour)})
		restarted <- err
	}()
	wait.Until(t, "the restart is recorded", func() bool {
		record, err := m.record(c.ID)
		return err == nil && record.Again
	})
	if err := m.Stop(t.Context(), c.ID, atOnce()); err != nil {
		t.Error(err)
	}
	if err := <-restarted; !errors.Is(err, executor.FailedPrecondition) {
		t.Errorf("the restart: got %v", err)
	}
	if record, err := m.record(c.ID); err != nil || record.Attempt != 1 || record.State != store.Released || record.Again {
		t.Errorf("afterwards: %+v, %v", record, err)
	}
}

// TestRestartWaitsForTheBackend restarts a container whose backend is down.
func TestRestartWaitsForTheBackend(t *testing.T) {
	var cfg config.Config
	m := openManager(t, func(c *config.Config) { cfg = *c })
	c := mustCreate(t, m, program(t, "sleep 600"))
	file := filepath.Join(cfg.ExecutorDirs[0], "davit-executor-memory")
	if err := os.Rename(file, file+"~"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(m.info().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "the backend has failed", func() bool { return m.info().State == supervisor.Failed })
	_, err := m.Restart(t.Context(), c.ID, atOnce())
	if _, ok := errors.AsType[*api.PendingError](err); !ok {
		t.Errorf("got %v, want that it is recorded", err)
	}
	if err := os.Rename(file+"~", file); err != nil {
		t.Fatal(err)
	}
	wantAttempt(t, m, c.ID, 2)
}

func TestRename(t *testing.T) {
	m := openManager(t, nil)
	opts := program(t, "sleep 600")
	opts.Name = "web"
	c := mustCreate(t, m, opts)
	opts.Name = "db"
	mustCreate(t, m, opts)
	for name, code := range map[string]executor.Code{"db": executor.AlreadyExists, "": executor.Invalid, "a/b": executor.Invalid} {
		if err := m.Rename(t.Context(), "web", name); executor.CodeOf(err) != code {
			t.Errorf("%q: got %v, want %s", name, err, code)
		}
	}
	for _, name := range []string{"front", "front"} {
		if err := m.Rename(t.Context(), c.ID, name); err != nil {
			t.Error(err)
		}
	}
	if found, err := m.record("front"); err != nil || found.ID != c.ID {
		t.Errorf("by its new name: %+v, %v", found, err)
	}
	if _, err := m.record("web"); !errors.Is(err, executor.NotFound) {
		t.Errorf("by its old name: %v", err)
	}
}
