package host

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// fromBackend asks for a container from the image of the memory executor.
func fromBackend(args ...string) api.ContainerOptions {
	return api.ContainerOptions{Image: "hello", ImageStore: api.ImageStoreBackend, Process: ocispec.Options{Args: args}}
}

// rootsOf returns the directory of the root file systems of a backend.
func rootsOf(cfg config.Config, backend string) string {
	return filepath.Join(cfg.BackendStateDir(backend), "roots")
}

func wantRoots(t *testing.T, cfg config.Config, ids ...string) {
	t.Helper()
	wait.Until(t, "only the root file systems of "+strings.Join(ids, ", ")+" are left", func() bool {
		entries, _ := os.ReadDir(rootsOf(cfg, "a"))
		if len(entries) != len(ids) {
			return false
		}
		for _, id := range ids {
			if _, err := os.Stat(filepath.Join(rootsOf(cfg, "a"), id, "fs")); err != nil {
				return false
			}
		}
		return true
	})
}

func TestImageOfBackend(t *testing.T) {
	cfg := testConfig(t)
	h := openHost(t, cfg)
	defer stopHost(t, h)
	list, err := h.BackendImages(t.Context(), "")
	if err != nil || len(list) != 1 || list[0].Name != "docker.io/library/hello:latest" {
		t.Fatalf("images: got %+v, %v", list, err)
	}
	c, err := h.Create(t.Context(), fromBackend("exit", "3"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Image != "hello" || c.ImageStore != api.ImageStoreBackend || c.ImageID != list[0].ID || c.Backend != "a" || c.Labels["from"] != "image" {
		t.Errorf("got %+v", c)
	}
	if _, err := h.Wait(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	var spec []byte
	if err := h.store.View(func(tx *store.Tx) (err error) {
		spec, err = tx.Spec(c.ID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"uid":1000`, `"GREETING=hello"`, `"/work"`} {
		if !strings.Contains(string(spec), want) {
			t.Errorf("the spec has no %s:\n%s", want, spec)
		}
	}
	note := filepath.Join(rootsOf(cfg, "a"), c.ID, "fs", "note")
	if err := os.WriteFile(note, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Start(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Wait(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	if info, err := h.StatPath(t.Context(), c.ID, "/note", false); err != nil || info.Size != 4 {
		t.Errorf("the file after a restart: got %+v, %v", info, err)
	}
	if _, err := h.Diff(t.Context(), c.ID); !errors.Is(err, executor.Unsupported) || !strings.Contains(err.Error(), "davit export") {
		t.Errorf("diff: got %v", err)
	}
	if _, err := h.Commit(t.Context(), c.ID, api.CommitOptions{}); !errors.Is(err, executor.Unsupported) {
		t.Errorf("commit: got %v", err)
	}
	// One that is only made, with the image's own command.
	opts := fromBackend()
	opts.NoStart = true
	made, err := h.Create(t.Context(), opts)
	if err != nil || strings.Join(made.Command, " ") != "print stdout hello" {
		t.Fatalf("got %+v, %v", made, err)
	}
	wantRoots(t, cfg, c.ID, made.ID)
	for _, id := range []string{c.ID, made.ID} {
		if err := h.Remove(t.Context(), id, false); err != nil {
			t.Error(err)
		}
	}
	wantRoots(t, cfg)
	opts = fromBackend()
	opts.AutoRemove = true
	if c, err = h.Create(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	wantRoots(t, cfg)
}

// TestImageOfBackendRefused asks for what is not possible, and looks for what is left.
func TestImageOfBackendRefused(t *testing.T) {
	cfg := testConfig(t)
	h := openHost(t, cfg)
	defer stopHost(t, h)
	for name, tt := range map[string]struct {
		change func(*api.ContainerOptions)
		code   executor.Code
		want   string
	}{
		"no such image":   {func(o *api.ContainerOptions) { o.Image = "other" }, executor.NotFound, `"docker.io/library/other:latest"`},
		"no such store":   {func(o *api.ContainerOptions) { o.ImageStore = "moon" }, executor.Invalid, "use host or backend"},
		"no image":        {func(o *api.ContainerOptions) { o.Image, o.Rootfs = "", "/srv" }, executor.Invalid, "no image is given"},
		"no such user":    {func(o *api.ContainerOptions) { o.Process.User = "nobody-here" }, executor.Invalid, "nobody-here"},
		"no such backend": {func(o *api.ContainerOptions) { o.Backend = "z" }, executor.NotFound, `"z"`},
		"davit's store":   {func(o *api.ContainerOptions) { o.ImageStore = api.ImageStoreHost }, executor.NotFound, "hello"},
	} {
		opts := fromBackend("exit", "0")
		tt.change(&opts)
		if _, err := h.Create(t.Context(), opts); executor.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v (%s), want %s and %q", name, err, executor.CodeOf(err), tt.code, tt.want)
		}
	}
	wantRoots(t, cfg)
}

// TestImageStoreOfBackend lets the config choose.
func TestImageStoreOfBackend(t *testing.T) {
	cfg := testConfig(t)
	cfg.Backends[0].ImageStore = api.ImageStoreBackend
	h := openHost(t, cfg)
	defer stopHost(t, h)
	opts := fromBackend("exit", "0")
	opts.ImageStore = ""
	c, err := h.Create(t.Context(), opts)
	if err != nil || c.ImageStore != api.ImageStoreBackend {
		t.Fatalf("got %+v, %v", c, err)
	}
	if _, err := h.Wait(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	if err := h.Remove(t.Context(), c.ID, false); err != nil {
		t.Error(err)
	}
	wantRoots(t, cfg)
}

// TestRootsAfterDeath ends host and executor while containers are made and removed, and
// looks for root file systems without a container.
func TestRootsAfterDeath(t *testing.T) {
	cfg := testConfig(t)
	h := openHost(t, cfg)
	c, err := h.Create(t.Context(), fromBackend("sleep", "600s"))
	if err != nil {
		t.Fatal(err)
	}
	// What a host that was killed before it had made the record has left, and an executor
	// before it had made the root file system.
	stopHost(t, h)
	for _, dir := range []string{"lost-1/fs", "lost-2/new"} {
		if err := os.MkdirAll(filepath.Join(rootsOf(cfg, "a"), dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	h = openHost(t, cfg)
	defer stopHost(t, h)
	wantRoots(t, cfg, c.ID)
	// The executor dies while containers are made: each is made, or leaves nothing.
	killExecutor := func() {
		t.Helper()
		if err := h.WaitBackend(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if pid := h.backends.All()["a"].Info().PID; pid > 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	results := make(chan api.Container)
	for range 8 {
		go func() {
			c, _ := h.Create(t.Context(), fromBackend("sleep", "600s"))
			results <- c
		}()
	}
	killExecutor()
	for range 8 {
		<-results
	}
	all, err := h.List()
	if err != nil {
		t.Fatal(err)
	}
	var made []string
	for _, c := range all {
		made = append(made, c.ID)
	}
	wantRoots(t, cfg, made...)
	// One that is removed while its backend is down is freed when that is back.
	killExecutor()
	for _, id := range made {
		if err := h.RemoveWith(t.Context(), id, api.RemoveOptions{Force: true}); err != nil && !errors.As(err, new(*api.PendingError)) {
			t.Errorf("%s: %v", id, err)
		}
	}
	wantRoots(t, cfg)
}
