package containers

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// TestStopSignalThatCannotBeSent stops containers whose record has a signal that no
// backend takes, as older hosts recorded them. They are killed: what is to be stopped
// does not run on.
func TestStopSignalThatCannotBeSent(t *testing.T) {
	m := openManager(t, nil)
	stopped, drained := mustCreate(t, m, program(t, "sleep 600")), mustCreate(t, m, program(t, "sleep 600"))
	err := m.store.Update(t.Context(), func(tx *store.Tx) error {
		for _, id := range []string{stopped.ID, drained.ID} {
			c, err := tx.Container(id)
			if err != nil {
				return err
			}
			c.StopSignal = 999
			if err := tx.PutContainer(c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Stop(t.Context(), stopped.ID, api.StopOptions{Timeout: new(time.Hour)}); err != nil {
		t.Errorf("stop: %v", err)
	}
	wantCode(t, mustWait(t, m, stopped.ID), 128+int(syscall.SIGKILL))
	if err := m.Drain(t.Context(), time.Hour); err != nil {
		t.Errorf("drain: %v", err)
	}
	wantCode(t, mustWait(t, m, drained.ID), 128+int(syscall.SIGKILL))
}

// TestStopTimeoutOfZero: zero is no wait, and not the default.
func TestStopTimeoutOfZero(t *testing.T) {
	m := openManager(t, nil)
	opts := program(t, "ignore 15", "sleep 600")
	own := mustCreate(t, m, opts)
	if c, err := m.record(own.ID); err != nil || c.StopTimeout != nil {
		t.Errorf("without a timeout the record has %v, %v", c.StopTimeout, err)
	}
	opts.StopTimeout = new(time.Duration)
	zero := mustCreate(t, m, opts)
	c, err := m.record(zero.ID)
	if err != nil || c.StopTimeout == nil || *c.StopTimeout != 0 {
		t.Fatalf("a timeout of zero is recorded as %v, %v", c.StopTimeout, err)
	}
	if got := stopTimeout(c, api.OwnStopTimeout); got != 0 {
		t.Errorf("a container with the timeout zero is killed after %v", got)
	}
	if c, err = m.record(own.ID); err != nil || stopTimeout(c, api.OwnStopTimeout) != api.DefaultStopTimeout || stopTimeout(c, 0) != 0 || stopTimeout(c, -1) != -1 {
		t.Errorf("a container without a timeout is killed after %v, %v", stopTimeout(c, api.OwnStopTimeout), err)
	}
	if err := m.Stop(t.Context(), zero.ID, api.StopOptions{}); err != nil {
		t.Error(err)
	}
	wantCode(t, mustWait(t, m, zero.ID), 128+int(syscall.SIGKILL))
}

// TestStopWithSignal: a stop may have another signal than that of the container.
func TestStopWithSignal(t *testing.T) {
	m := openManager(t, nil)
	opts := program(t, "ignore 15", "sleep 600")
	opts.StopTimeout = new(time.Hour)
	stopped, restarted := mustCreate(t, m, opts), mustCreate(t, m, opts)
	for _, sig := range []executor.Signal{-1, 65} {
		how := api.StopOptions{Signal: sig}
		if err := m.Stop(t.Context(), stopped.ID, how); !errors.Is(err, executor.Invalid) {
			t.Errorf("stop with signal %d: got %v", sig, err)
		}
		if _, err := m.Restart(t.Context(), stopped.ID, how); !errors.Is(err, executor.Invalid) {
			t.Errorf("restart with signal %d: got %v", sig, err)
		}
	}
	if err := m.Stop(t.Context(), stopped.ID, api.StopOptions{Signal: syscall.SIGINT}); err != nil {
		t.Error(err)
	}
	wantCode(t, mustWait(t, m, stopped.ID), 128+int(syscall.SIGINT))
	if now, err := m.Restart(t.Context(), restarted.ID, api.StopOptions{Signal: syscall.SIGHUP}); err != nil || now.Attempt != 2 {
		t.Errorf("restart: got %+v, %v", now, err)
	}
	end, err := m.WaitAttempt(t.Context(), restarted.ID, 1)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, end, 128+int(syscall.SIGHUP))
	if err := m.Stop(t.Context(), restarted.ID, atOnce()); err != nil {
		t.Error(err)
	}
}

// TestOptionsThatCannotBe checks what a program that has the library may ask for.
func TestOptionsThatCannotBe(t *testing.T) {
	m := openManager(t, nil)
	for want, change := range map[string]func(*api.ContainerOptions){
		`stop signal: signal 999 does not exist; signals go from 1 to 64`: func(o *api.ContainerOptions) { o.StopSignal = 999 },
		`stop signal: signal -9 does not exist; signals go from 1 to 64`:  func(o *api.ContainerOptions) { o.StopSignal = -9 },
		`process.args[1]: "a\xff" is not UTF-8, as all text has to be here`: func(o *api.ContainerOptions) {
			o.Process.Args = []string{"x", "a\xff"}
		},
		`rootfs: "/\xff" is not UTF-8, as all text has to be here`:          func(o *api.ContainerOptions) { o.Rootfs = "/\xff" },
		`labels[a]: "\xff" is not UTF-8, as all text has to be here`:        func(o *api.ContainerOptions) { o.Labels = map[string]string{"a": "\xff"} },
		`labels: "\xff" is not UTF-8, as all text has to be here`:           func(o *api.ContainerOptions) { o.Labels = map[string]string{"\xff": "a"} },
		`process.env[0]: "A=\xff" is not UTF-8, as all text has to be here`: func(o *api.ContainerOptions) { o.Process.Env = []string{"A=\xff"} },
	} {
		opts := program(t, "exit 0")
		change(&opts)
		if _, err := m.Create(t.Context(), opts); !errors.Is(err, executor.Invalid) || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
