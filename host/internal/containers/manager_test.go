package containers

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/images"
	"github.com/davit-run/davit/host/internal/networks"
	"github.com/davit-run/davit/host/internal/ports"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/volumes"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/host/rigs/asexecutor"
	"github.com/davit-run/davit/shared/conformance/memory"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/plugin"
	"github.com/davit-run/davit/shared/transport"
)

// The test binary is also the executor, and the processes of its workloads.
func TestMain(m *testing.M) {
	asexecutor.Serve(func(string) { plugin.Serve(difficult(memory.NewProcesses())) })
	os.Exit(m.Run())
}

// openManager opens a Manager with one backend, a, until the test ends.
func openManager(t *testing.T, configure func(*config.Config)) *Manager {
	t.Helper()
	dir := asexecutor.Dir(t, "memory")
	cfg := config.Config{
		StateDir: dir, RunDir: filepath.Join(dir, "run"), ExecutorDirs: []string{filepath.Join(dir, "bin")},
		DefaultBackend: "a", Backends: []config.Backend{{Name: "a", Executor: "memory"}},
	}.WithDefaults()
	if configure != nil {
		configure(&cfg)
	}
	st, err := store.Open(filepath.Join(dir, "db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	logger := asexecutor.Logger(t)
	var m *Manager
	set := backends.New(cfg, backends.Options{
		HostID: st.Info().HostID, Hello: transport.Hello{Version: "test", Epoch: st.Info().Epoch}, Logger: logger,
		Reports: func(backend string) executor.Host { return m.Reports(backend) },
		Ready:   func(ctx context.Context, s *backends.Session) error { return m.Reconcile(ctx, s) },
		Journal: func(context.Context, store.Event) error { return nil },
	})
	pictures, err := images.Open(images.Options{Store: st, Logger: logger, StateDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pictures.Close)
	kept, err := volumes.Open(t.Context(), volumes.Options{Store: st, Logger: logger, StateDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kept.Close)
	off, err := networks.Open(t.Context(), networks.Options{Store: st, Logger: logger, RunDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	held, err := ports.Open(ports.Options{RunDir: dir, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(held.Close)
	if m, err = Open(t.Context(), Options{Store: st, Backends: set, Images: pictures, Volumes: kept, Networks: off, Ports: held, Logger: logger, StateDir: dir, RunDir: dir}); err != nil {
		t.Fatal(err)
	}
	if err := set.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		errs := []error{m.RemoveAll(ctx)}
		for _, b := range set.All() {
			errs = append(errs, b.Stop(ctx))
		}
		m.Interrupt()
		set.Close()
		if err := errors.Join(append(errs, m.Close(), st.Close())...); err != nil {
			t.Error(err)
		}
	})
	return m
}

// program is a container of the memory executor, which ignores the rootfs.
func program(t *testing.T, steps ...string) api.ContainerOptions {
	return api.ContainerOptions{Rootfs: t.TempDir(), Process: ocispec.Options{Args: strings.Fields(strings.Join(steps, " ; "))}}
}

func mustCreate(t *testing.T, m *Manager, opts api.ContainerOptions) api.Container {
	t.Helper()
	c, err := m.Create(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustWait(t *testing.T, m *Manager, id string) *api.End {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	end, err := m.WaitAttempt(ctx, id, 0)
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

// atOnce are options of a stop that waits for nothing.
func atOnce() api.StopOptions { return api.StopOptions{Timeout: new(time.Duration)} }
