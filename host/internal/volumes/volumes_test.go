package volumes

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/hashicorp/go-hclog"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// open opens the volumes of a state directory, and returns how to close them.
func open(t *testing.T, dir string) (*Manager, func()) {
	t.Helper()
	st, err := store.Open(filepath.Join(dir, "davit.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := Open(t.Context(), Options{Store: st, Logger: hclog.NewNullLogger(), StateDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	open := true
	done := func() {
		if !open {
			return
		}
		open = false
		m.Close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(done)
	return m, done
}

func mount(name, target string, options ...string) specs.Mount {
	return specs.Mount{Type: ocispec.TypeVolume, Source: name, Destination: target, Options: options}
}

// recordFor records a container with the volumes of a use, which it releases.
func (u *Use) recordFor(t *testing.T, id string) {
	t.Helper()
	err := u.manager.store.Update(t.Context(), func(tx *store.Tx) error {
		c := &store.Container{ID: id, Name: "name-" + id, CreatedAt: time.Now(), Volumes: u.Volumes}
		return errors.Join(u.Record(tx), tx.CreateContainer(c, []byte("{}")))
	})
	u.Release(err)
	if err != nil {
		t.Fatal(err)
	}
}

// use makes volumes for a container.
func use(t *testing.T, m *Manager, root string, mounts ...specs.Mount) *Use {
	t.Helper()
	u, err := m.Use(t.Context(), mounts, root)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func names(t *testing.T, m *Manager) (names []string) {
	t.Helper()
	all, err := m.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		names = append(names, v.Name)
	}
	return names
}

// left returns what is in the directory of all volumes, when nothing is done any more.
func left(t *testing.T, m *Manager) (names []string) {
	t.Helper()
	m.wg.Wait()
	entries, err := os.ReadDir(m.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// image makes a root file system with a directory that is not root's, a link to it, and
// files of some kinds.
func image(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	root := t.TempDir()
	data := filepath.Join(root, "srv", "data")
	err := errors.Join(
		os.MkdirAll(filepath.Join(data, "sub"), 0o755),
		os.WriteFile(filepath.Join(data, "sub", "file"), []byte("from the image"), 0o640),
		os.Chown(filepath.Join(data, "sub", "file"), 33, 34),
		os.Link(filepath.Join(data, "sub", "file"), filepath.Join(data, "other")),
		os.Symlink("/etc/passwd", filepath.Join(data, "link")),
		os.Chown(data, 33, 34), unix.Chmod(data, 0o2750),
		os.Symlink("/srv/data", filepath.Join(root, "alias")), os.Mkdir(filepath.Join(root, "empty"), 0o700),
	)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// TestFill fills new volumes with what an image has at their targets.
func TestFill(t *testing.T) {
	root := image(t)
	m, _ := open(t, t.TempDir())
	for _, tt := range []struct {
		name   string
		mount  specs.Mount
		root   string
		filled bool
		mode   os.FileMode
	}{
		{"the image's", mount("one", "/srv/data"), root, true, os.ModeDir | os.ModeSetgid | 0o750},
		{"through a link", mount("two", "/alias/"), root, true, os.ModeDir | os.ModeSetgid | 0o750},
		{"no copy", mount("three", "/srv/data", "nocopy"), root, false, os.ModeDir | 0o755},
		{"no image", mount("four", "/srv/data"), "", false, os.ModeDir | 0o755},
		{"not in the image", mount("five", "/srv/none"), root, false, os.ModeDir | 0o755},
		{"not a directory", mount("six", "/srv/data/other"), root, false, os.ModeDir | 0o755},
		{"an empty directory", mount("seven", "/empty"), root, false, os.ModeDir | 0o700},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := use(t, m, tt.root, tt.mount)
			u.recordFor(t, tt.mount.Source)
			data := u.Mounts[0].Source
			info, err := os.Stat(data)
			if err != nil || info.Mode() != tt.mode {
				t.Errorf("the volume has mode %v, %v; want %v", info.Mode(), err, tt.mode)
			}
			entries, err := os.ReadDir(data)
			if err != nil || len(entries) > 0 != tt.filled {
				t.Errorf("it has %v, %v", entries, err)
			}
			if !tt.filled {
				return
			}
			var dir, file, other unix.Stat_t
			if err := errors.Join(unix.Stat(data, &dir), unix.Stat(filepath.Join(data, "sub", "file"), &file), unix.Stat(filepath.Join(data, "other"), &other)); err != nil {
				t.Fatal(err)
			}
			if dir.Uid != 33 || file.Gid != 34 || file.Ino != other.Ino {
				t.Errorf("owners and links are not those of the image: %+v, %+v, %+v", dir, file, other)
			}
			if to, err := os.Readlink(filepath.Join(data, "link")); to != "/etc/passwd" {
				t.Errorf("the link leads to %q, %v", to, err)
			}
		})
	}
	for _, name := range left(t, m) {
		if isHidden(name) {
			t.Errorf("%s is left", name)
		}
	}
}

// TestFillOnce fills no volume that has something, and none that a container has: that one
// would go on with another directory.
func TestFillOnce(t *testing.T) {
	root := image(t)
	m, _ := open(t, t.TempDir())
	use(t, m, "", mount("used", "/x")).recordFor(t, "a")
	before, err := os.Stat(m.Path("used"))
	if err != nil {
		t.Fatal(err)
	}
	use(t, m, root, mount("used", "/srv/data")).recordFor(t, "b")
	if after, err := os.Stat(m.Path("used")); err != nil || !os.SameFile(before, after) {
		t.Errorf("the directory that a container has was replaced: %v", err)
	}

	v, err := m.Create(t.Context(), api.VolumeOptions{Name: "own"})
	if err == nil {
		err = os.WriteFile(filepath.Join(v.Mountpoint, "mine"), nil, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	use(t, m, root, mount("own", "/srv/data")).recordFor(t, "c")
	if _, err := os.Stat(filepath.Join(v.Mountpoint, "sub")); err == nil {
		t.Error("files of the image were put beside those of the user")
	}
}

// TestFillFails leaves neither half of a volume nor a volume.
func TestFillFails(t *testing.T) {
	root := image(t)
	m, _ := open(t, t.TempDir())
	if err := unix.Mknod(filepath.Join(root, "srv/data/sub/null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		t.Skip("no devices can be made here: ", err)
	}
	if _, err := m.Use(t.Context(), []specs.Mount{mount("", "/first"), mount("data", "/srv/data")}, root); executor.CodeOf(err) != executor.Unsupported || !strings.Contains(err.Error(), "volume data at /srv/data") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Use(ctx, []specs.Mount{mount("data", "/srv/data")}, root); err == nil {
		t.Error("a copy went on without its caller")
	}
	if got := left(t, m); len(got) > 0 {
		t.Errorf("%v is left", got)
	}
}

// TestRemove removes what nobody uses, and says who uses the rest.
func TestRemove(t *testing.T) {
	dir := t.TempDir()
	m, _ := open(t, dir)
	ctx := t.Context()
	making := use(t, m, "", mount("data", "/x"), mount("data", "/y", "ro"))
	if options := making.Mounts[1].Options; !slices.Contains(options, "ro") || making.Mounts[0].Source != m.Path("data") {
		t.Errorf("mounts are %+v", making.Mounts)
	}
	if _, err := m.Create(ctx, api.VolumeOptions{Name: "data"}); err != nil {
		t.Fatal(err)
	}
	if err := m.Remove(ctx, "data"); executor.CodeOf(err) != executor.FailedPrecondition {
		t.Errorf("removal under a container that is being made: %v", err)
	}
	making.recordFor(t, "a")
	want := "volume data is used by container name-a; remove that first"
	if err := m.Remove(ctx, "data"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if v, err := m.Inspect("data"); err != nil || !slices.Equal(v.Containers, []string{"a"}) {
		t.Errorf("got %+v, %v", v, err)
	}
	if err := m.store.Update(ctx, func(tx *store.Tx) error {
		c, err := tx.Container("a")
		if err != nil {
			return err
		}
		c.State, c.AutoRemove = store.Released, true // it is about to be removed
		return tx.PutContainer(c)
	}); err != nil {
		t.Fatal(err)
	}
	if err := m.Remove(ctx, "data"); err != nil {
		t.Error(err)
	}
	if err := m.Remove(ctx, "data"); executor.CodeOf(err) != executor.NotFound {
		t.Errorf("removed again: %v", err)
	}
	var happened []string
	err := m.store.View(func(tx *store.Tx) error {
		all, err := tx.Events(0, 10)
		for _, e := range all {
			happened = append(happened, e.Type+" "+e.Data["volume"])
		}
		return err
	})
	if err != nil || !slices.Equal(happened, []string{"volume.created data", "volume.removed data"}) {
		t.Errorf("the events are %q, %v", happened, err)
	}
	if _, err := m.Create(ctx, api.VolumeOptions{Name: "../x"}); executor.CodeOf(err) != executor.Invalid {
		t.Errorf("a name that leads elsewhere: %v", err)
	}
	if got := left(t, m); len(got) > 0 {
		t.Errorf("%v is left", got)
	}
}

// TestPrune removes anonymous volumes, and all if asked to.
func TestPrune(t *testing.T) {
	m, _ := open(t, t.TempDir())
	ctx := t.Context()
	use(t, m, "", mount("", "/x"), mount("used", "/y")).recordFor(t, "a")
	for _, name := range []string{"", "named"} {
		if _, err := m.Create(ctx, api.VolumeOptions{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		opts          api.PruneVolumesOptions
		removed, kept int
	}{
		{api.PruneVolumesOptions{DryRun: true, All: true}, 2, 4},
		{api.PruneVolumesOptions{}, 1, 3},
		{api.PruneVolumesOptions{All: true}, 1, 2},
	} {
		done, err := m.Prune(ctx, step.opts)
		if err != nil || len(done.Volumes) != step.removed || len(names(t, m)) != step.kept {
			t.Errorf("%+v: removed %+v, %v; there are %v", step.opts, done.Volumes, err, names(t, m))
		}
	}
}

// TestKilled opens what a host has left that was killed at each step, and what one has left
// whose records are lost.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	m, done := open(t, dir)
	ctx := t.Context()
	if _, err := m.Create(ctx, api.VolumeOptions{Name: "kept", Labels: map[string]string{"a": "b"}}); err != nil {
		t.Fatal(err)
	}
	// Nobody has recorded these, and nobody will.
	unrecorded := use(t, m, "", mount("named", "/x"), mount("", "/y"))
	// This one was being removed, and these were being made and filled.
	if _, err := m.Create(ctx, api.VolumeOptions{Name: "going"}); err != nil {
		t.Fatal(err)
	}
	err := errors.Join(
		os.Rename(filepath.Join(m.dir, "going"), filepath.Join(m.dir, ".1")),
		m.store.Update(ctx, func(tx *store.Tx) error { return tx.RemoveVolume("going") }),
		os.Mkdir(filepath.Join(m.dir, ".2"), 0o700),
	)
	if err != nil {
		t.Fatal(err)
	}
	done()

	m, done = open(t, dir)
	if got, want := names(t, m), []string{"kept", "named"}; !slices.Equal(got, want) {
		t.Errorf("after a kill there are %v, want %v", got, want)
	}
	if got, want := left(t, m), []string{"kept", "named"}; !slices.Equal(got, want) {
		t.Errorf("after a kill there is left %v, want %v; %s was anonymous", got, want, unrecorded.Volumes[1].Name)
	}
	use(t, m, "", mount("", "/y")).recordFor(t, "a")
	done()

	if err := os.Remove(filepath.Join(dir, "davit.db")); err != nil {
		t.Fatal(err)
	}
	m, _ = open(t, dir)
	if got := names(t, m); len(got) != 3 {
		t.Errorf("after the loss of the records there are %v", got)
	}
	if v, err := m.Inspect("kept"); err != nil || v.Labels["a"] != "b" {
		t.Errorf("got %+v, %v", v, err)
	}
}
