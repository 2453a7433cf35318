package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/host/rigs/asexecutor"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// The test binary is also the executor that the hosts under test start, and the
// processes of its workloads.
func TestMain(m *testing.M) {
	asexecutor.Serve(func(name string) {
		if evil, ok := strings.CutPrefix(name, evilPrefix); ok {
			serveEvil(evil)
		} else {
			asexecutor.Memory(name)
		}
	})
	if dir := os.Getenv(ephemeralEnv); dir != "" {
		os.Unsetenv(ephemeralEnv)
		fmt.Fprintln(os.Stderr, ephemeralProgram(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// testConfig configures backends of the memory executor, a and those named.
func testConfig(t testing.TB, more ...string) config.Config {
	t.Helper()
	return configAt(asexecutor.Dir(t, "memory"), more...)
}

func configAt(dir string, more ...string) config.Config {
	cfg := config.Config{
		StateDir: filepath.Join(dir, "state"), RunDir: filepath.Join(dir, "run"),
		ExecutorDirs:   []string{filepath.Join(dir, "bin")},
		DefaultBackend: "a",
	}
	for _, name := range append([]string{"a"}, more...) {
		cfg.Backends = append(cfg.Backends, config.Backend{Name: name, Executor: "memory"})
	}
	return cfg
}

func openHost(t *testing.T, cfg config.Config) *Host {
	t.Helper()
	h, err := Open(t.Context(), cfg, Options{Logger: asexecutor.Logger(t), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// stopHost ends a host and all that it runs.
func stopHost(t *testing.T, h *Host) {
	t.Helper()
	if err := h.Shutdown(context.Background(), time.Second); err != nil {
		t.Error(err)
	}
}

// program is a container of the memory executor, which ignores the rootfs.
func program(t *testing.T, steps ...string) api.ContainerOptions {
	return api.ContainerOptions{Rootfs: t.TempDir(), Process: ocispec.Options{Args: strings.Fields(strings.Join(steps, " ; "))}}
}

func mustCreate(t *testing.T, h *Host, opts api.ContainerOptions) api.Container {
	t.Helper()
	c, err := h.Create(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustWait(t *testing.T, h *Host, id string) *api.End {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	end, err := h.Wait(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	return end
}

func wantCode(t *testing.T, end *api.End, want int) {
	t.Helper()
	if end.Code == nil || *end.Code != want {
		t.Errorf("got exit %+v, want code %d", end.Exit, want)
	}
}

func TestRun(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	var stdout, stderr bytes.Buffer
	var id string
	end, err := h.Run(t.Context(), program(t, "print stdout hello", "print stderr oops", "exit 3"),
		func(c api.Container) error { id = c.ID; return nil },
		func(s api.Stream, data []byte) error {
			if s == api.Stderr {
				stderr.Write(data)
			} else {
				stdout.Write(data)
			}
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, end, 3)
	if stdout.String() != "hello\n" || stderr.String() != "oops\n" {
		t.Errorf("got stdout %q, stderr %q", stdout.String(), stderr.String())
	}
	if end.Output != executor.Complete || end.Source == executor.Lost {
		t.Errorf("got %+v", end)
	}
	c, err := h.Inspect(id)
	if err != nil || c.State != api.StateExited || c.Exit == nil || c.Backend != "a" {
		t.Errorf("inspect: got %+v, %v", c, err)
	}
}

func TestBackendsWorkSideBySide(t *testing.T) {
	h := openHost(t, testConfig(t, "b"))
	defer stopHost(t, h)
	opts := program(t, "exit 0")
	for _, name := range []string{"a", "b"} {
		opts.Backend = name
		c := mustCreate(t, h, opts)
		if c.Backend != name {
			t.Errorf("got backend %s, want %s", c.Backend, name)
		}
		wantCode(t, mustWait(t, h, c.ID), 0)
	}
	infos, err := h.Backends()
	if err != nil || len(infos) != 2 || infos[0].PID == infos[1].PID {
		t.Errorf("got %+v, %v", infos, err)
	}
}

func TestBadRequestsMakeNothing(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	good := program(t, "exit 0")
	tests := []struct {
		name  string
		spoil func(*api.ContainerOptions)
		want  executor.Code
	}{
		{"unknown backend", func(o *api.ContainerOptions) { o.Backend = "nope" }, executor.NotFound},
		{"unknown runtime", func(o *api.ContainerOptions) { o.Runtime = "nope" }, executor.NotFound},
		{"neither bundle nor rootfs", func(o *api.ContainerOptions) { o.Rootfs = "" }, executor.Invalid},
		{"both", func(o *api.ContainerOptions) { o.Bundle = "/x" }, executor.Invalid},
		{"name", func(o *api.ContainerOptions) { o.Name = "../x" }, executor.Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opts := good
			tt.spoil(&opts)
			if _, err := h.Create(t.Context(), opts); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	if all, err := h.List(); err != nil || len(all) != 0 {
		t.Errorf("got %+v, %v; want no containers", all, err)
	}
}

func TestFailedStart(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	opts := program(t, "nonsense")
	if _, err := h.Create(t.Context(), opts); !errors.Is(err, executor.CommandNotFound) {
		t.Errorf("got %v, want command not found", err)
	}
	all, err := h.List()
	if err != nil || len(all) != 1 || all[0].State != api.StateFailed || all[0].Error == "" {
		t.Fatalf("got %+v, %v; want one failed container that says why", all, err)
	}
	if _, err := h.Wait(t.Context(), all[0].ID); !errors.Is(err, executor.FailedPrecondition) {
		t.Errorf("wait: got %v", err)
	}
	if err := h.Remove(t.Context(), all[0].ID, false); err != nil {
		t.Error(err)
	}
	opts.AutoRemove = true
	if _, err := h.Create(t.Context(), opts); !errors.Is(err, executor.CommandNotFound) {
		t.Errorf("got %v, want command not found", err)
	}
	if all, err := h.List(); err != nil || len(all) != 0 {
		t.Errorf("got %+v, %v; want nothing", all, err)
	}
}

func TestNamesAreUnique(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	opts := program(t, "exit 0")
	opts.Name = "web"
	c := mustCreate(t, h, opts)
	if _, err := h.Create(t.Context(), opts); !errors.Is(err, executor.AlreadyExists) {
		t.Errorf("got %v, want already exists", err)
	}
	for _, ref := range []string{"web", c.ID, c.ID[:6]} {
		if got, err := h.Inspect(ref); err != nil || got.ID != c.ID {
			t.Errorf("inspect %s: got %+v, %v", ref, got, err)
		}
	}
}

func TestSameRequestIsOneContainer(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	opts := program(t, "exit 0")
	opts.RequestID = "r1"
	ids := make([]string, 8)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			if c, err := h.Create(t.Context(), opts); err == nil {
				ids[i] = c.ID
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Fatalf("got ids %q, want the same each time", ids)
		}
	}
}

func TestStop(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	polite := mustCreate(t, h, program(t, "trap 15 7", "sleep 60"))
	if err := h.Stop(t.Context(), polite.ID, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	wantCode(t, mustWait(t, h, polite.ID), 7)
	stubborn := mustCreate(t, h, program(t, "ignore 15", "sleep 60"))
	if err := h.Stop(t.Context(), stubborn.ID, 50*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	end := mustWait(t, h, stubborn.ID)
	wantCode(t, end, 137)
	if end.Signal != syscall.SIGKILL {
		t.Errorf("got signal %v, want SIGKILL", end.Signal)
	}
	if err := h.Stop(t.Context(), stubborn.ID, 0); err != nil {
		t.Errorf("stopping again: %v", err)
	}
	if err := h.Kill(t.Context(), stubborn.ID, syscall.SIGTERM); !errors.Is(err, executor.FailedPrecondition) {
		t.Errorf("kill of a stopped one: got %v", err)
	}
}

func TestRemove(t *testing.T) {
	cfg := testConfig(t)
	h := openHost(t, cfg)
	defer stopHost(t, h)
	c := mustCreate(t, h, program(t, "print stdout x", "sleep 60"))
	if err := h.Remove(t.Context(), c.ID, false); !errors.Is(err, executor.FailedPrecondition) {
		t.Errorf("removing a running one: got %v, want failed precondition", err)
	}
	if err := h.Remove(t.Context(), c.ID, true); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Inspect(c.ID); !errors.Is(err, executor.NotFound) {
		t.Errorf("got %v, want not found", err)
	}
	if _, err := os.Stat(filepath.Join(cfg.StateDir, "containers", c.ID)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its output is still there: %v", err)
	}
}

func TestAutoRemoveWaitsForTheReader(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	opts := program(t, "print stdout hello", "exit 0")
	opts.AutoRemove = true
	for range 20 {
		var out bytes.Buffer
		var id string
		end, err := h.Run(t.Context(), opts, func(c api.Container) error { id = c.ID; return nil }, func(_ api.Stream, data []byte) error { out.Write(data); return nil })
		if err != nil || out.String() != "hello\n" {
			t.Fatalf("got %q, %v", out.String(), err)
		}
		wantCode(t, end, 0)
		wait.Until(t, "it is removed", func() bool {
			_, err := h.Inspect(id)
			return errors.Is(err, executor.NotFound)
		})
	}
}

func TestInterruptedRemovalIsCompleted(t *testing.T) {
	cfg := testConfig(t)
	first := openHost(t, cfg)
	opts := program(t, "print stdout x", "exit 0")
	opts.AutoRemove = true
	// Somebody reads its output, slowly, when the host dies.
	made, reading, over := make(chan api.Container, 1), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		_, _ = first.RunAttached(t.Context(), opts, api.Attachment{
			Started: func(c api.Container) error { made <- c; return nil },
			Output:  func(api.Stream, []byte) error { <-reading; return nil },
		})
	}()
	c := <-made
	mustWait(t, first, c.ID)
	first.Close()
	close(reading)
	<-over
	second := openHost(t, cfg)
	defer stopHost(t, second)
	wait.Until(t, "it is removed", func() bool {
		_, err := second.Inspect(c.ID)
		return errors.Is(err, executor.NotFound)
	})
}

func TestContainersOutliveTheHost(t *testing.T) {
	cfg := testConfig(t)
	first := openHost(t, cfg)
	gate := filepath.Join(t.TempDir(), "gate")
	runs := mustCreate(t, first, program(t, "print stdout before", "await "+gate, "print stdout after", "exit 5"))
	ends := mustCreate(t, first, program(t, "exit 6"))
	mustWait(t, first, ends.ID)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := openHost(t, cfg)
	defer stopHost(t, second)
	if err := second.WaitBackend(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if info := second.backends.All()["a"].Info(); info.Attaches != 1 || info.Starts != 0 {
		t.Errorf("got %d attaches, %d starts; want the executor that ran", info.Attaches, info.Starts)
	}
	if c, err := second.Inspect(runs.ID); err != nil || c.State != api.StateRunning || c.PID != runs.PID {
		t.Errorf("got %+v, %v; want it to run as process %d", c, err, runs.PID)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantCode(t, mustWait(t, second, runs.ID), 5)
	wantCode(t, mustWait(t, second, ends.ID), 6)
	var out bytes.Buffer
	if err := second.Logs(t.Context(), runs.ID, api.LogOptions{}, func(_ api.Stream, data []byte) error { out.Write(data); return nil }); err != nil || out.String() != "before\nafter\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

func TestExitWhileNoHostRuns(t *testing.T) {
	cfg := testConfig(t)
	first := openHost(t, cfg)
	gate := filepath.Join(t.TempDir(), "gate")
	c := mustCreate(t, first, program(t, "await "+gate, "exit 9"))
	first.Close()
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "the workload has ended", func() bool { return syscall.Kill(c.PID, 0) != nil })
	second := openHost(t, cfg)
	defer stopHost(t, second)
	wantCode(t, mustWait(t, second, c.ID), 9)
}

func TestKilledExecutorLosesNothing(t *testing.T) {
	h := openHost(t, testConfig(t, "b"))
	defer stopHost(t, h)
	gate := filepath.Join(t.TempDir(), "gate")
	c := mustCreate(t, h, program(t, "await "+gate, "exit 4"))
	bystander := program(t, "exit 0")
	bystander.Backend = "b"
	if err := syscall.Kill(h.backends.All()["a"].Info().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wantCode(t, mustWait(t, h, mustCreate(t, h, bystander).ID), 0)
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantCode(t, mustWait(t, h, c.ID), 4)
	wantCode(t, mustWait(t, h, mustCreate(t, h, program(t, "exit 1")).ID), 1)
}

func TestBackendThatCannotStart(t *testing.T) {
	cfg := testConfig(t, "b")
	cfg.Backends[0].Executor = "absent"
	h := openHost(t, cfg)
	defer stopHost(t, h)
	wait.Until(t, "the backend has failed", func() bool { return h.backends.All()["a"].Info().LastError != "" })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := h.Create(ctx, program(t, "exit 0"))
	if !errors.Is(err, executor.Unavailable) || !strings.Contains(err.Error(), "davit-executor-absent") {
		t.Errorf("got %v, want unavailable, naming the missing file", err)
	}
	opts := program(t, "exit 0")
	opts.Backend = "b"
	wantCode(t, mustWait(t, h, mustCreate(t, h, opts).ID), 0)
}

func TestOneHostPerStateDirectory(t *testing.T) {
	cfg := testConfig(t)
	h := openHost(t, cfg)
	defer stopHost(t, h)
	if second, err := Open(t.Context(), cfg, Options{}); !errors.Is(err, executor.FailedPrecondition) {
		t.Errorf("got %v, want failed precondition", err)
		if err == nil {
			second.Close()
		}
	}
}

func TestEvents(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	c := mustCreate(t, h, program(t, "exit 2"))
	mustWait(t, h, c.ID)
	if err := h.Remove(t.Context(), c.ID, false); err != nil {
		t.Fatal(err)
	}
	var types []string
	var last uint64
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for e, err := range h.Events(ctx, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Seq != last+1 {
			t.Errorf("event %d follows %d", e.Seq, last)
		}
		last = e.Seq
		if e.Container == "" {
			continue
		}
		types = append(types, e.Type)
		if e.Type == api.EventExited && e.Data["code"] != "2" {
			t.Errorf("got %+v", e)
		}
		if e.Type == api.EventRemoved {
			break
		}
	}
	if got := strings.Join(types, " "); got != "container.created container.started container.exited container.removed" {
		t.Errorf("got events %s", got)
	}
}

func TestValidate(t *testing.T) {
	cfg := testConfig(t, "b")
	if diags := Validate(t.Context(), cfg); diags.HasErrors() {
		t.Errorf("good config: got %v", diags)
	}
	cfg.Backends[0].Config = map[string]any{"nonsense": 1}
	cfg.Backends[1].Executor = "absent"
	diags := Validate(t.Context(), cfg)
	for _, want := range []string{`"nonsense"`, "davit-executor-absent"} {
		if !strings.Contains(diags.Error(), want) {
			t.Errorf("got %q, want it to name %s", diags.Error(), want)
		}
	}
	desc, err := Describe(t.Context(), cfg, "memory")
	if err != nil || desc.Name != "memory" {
		t.Errorf("describe: got %+v, %v", desc, err)
	}
}

func TestStartAgain(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	c := mustCreate(t, h, program(t, "print stdout x", "exit 3"))
	mustWait(t, h, c.ID)
	again, err := h.Start(t.Context(), c.ID)
	if err != nil || again.Attempt != 2 {
		t.Fatalf("got %+v, %v; want attempt 2", again, err)
	}
	wantCode(t, mustWait(t, h, c.ID), 3)
	var out bytes.Buffer
	if err := h.Logs(t.Context(), c.ID, api.LogOptions{Attempt: 2}, func(_ api.Stream, d []byte) error { out.Write(d); return nil }); err != nil || out.String() != "x\n" {
		t.Errorf("got %q, %v; want the output of the second attempt alone", out.String(), err)
	}
	sleeper := mustCreate(t, h, program(t, "sleep 60"))
	if _, err := h.Start(t.Context(), sleeper.ID); !errors.Is(err, executor.FailedPrecondition) {
		t.Errorf("start of a running one: got %v, want failed precondition", err)
	}
}

func TestOutputLimit(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	opts := program(t, "count stdout 2000000")
	opts.OutputMax = config.MinOutput
	c := mustCreate(t, h, opts)
	mustWait(t, h, c.ID)
	var out bytes.Buffer
	var dropped int64
	err := h.Logs(t.Context(), c.ID, api.LogOptions{Dropped: func(_ api.Stream, n int64) error { dropped += n; return nil }},
		func(_ api.Stream, data []byte) error { out.Write(data); return nil })
	if err != nil {
		t.Fatal(err)
	}
	const written = 9*2 + 90*3 + 900*4 + 9000*5 + 90000*6 + 900000*7 + 1000001*8
	if got := dropped + int64(out.Len()); got != written {
		t.Errorf("got %d bytes and %d dropped, want %d together", out.Len(), dropped, written)
	}
	if !strings.HasSuffix(out.String(), "1999999\n2000000\n") || strings.ContainsRune(out.String(), 0) {
		t.Errorf("got %.40q… …%q", out.String(), out.String()[max(0, out.Len()-40):])
	}
}

func TestTimestamps(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	before := time.Now().Add(-time.Second)
	c := mustCreate(t, h, program(t, "print stdout one", "print stdout two"))
	mustWait(t, h, c.ID)
	var out bytes.Buffer
	if err := h.Logs(t.Context(), c.ID, api.LogOptions{Timestamps: true}, func(_ api.Stream, data []byte) error { out.Write(data); return nil }); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		stamp, rest, _ := strings.Cut(line, " ")
		stamp, _, _ = strings.Cut(stamp, "~") // how far it may be off
		at, err := time.Parse(time.RFC3339Nano, stamp)
		if err != nil || at.Before(before) || at.After(time.Now().Add(time.Second)) || rest != "one\n" && rest != "two\n" {
			t.Errorf("got line %q, %v", line, err)
		}
	}
	if err := h.Logs(t.Context(), c.ID, api.LogOptions{Since: time.Now().Add(time.Hour)}, func(_ api.Stream, data []byte) error { t.Errorf("got %q since a time to come", data); return nil }); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkRun measures what the host and the transport cost around a workload
// that costs next to nothing, durable commits included.
func BenchmarkRun(b *testing.B) {
	cfg := testConfig(b)
	h, err := Open(b.Context(), cfg, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = h.Shutdown(context.Background(), time.Second) }()
	opts := api.ContainerOptions{Rootfs: b.TempDir(), Process: ocispec.Options{Args: []string{"exit", "0"}}, AutoRemove: true}
	for b.Loop() {
		if _, err := h.Run(b.Context(), opts, nil, func(api.Stream, []byte) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
