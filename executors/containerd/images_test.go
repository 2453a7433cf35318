package containerd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	snapshotsapi "github.com/containerd/containerd/api/services/snapshots/v1"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// testImage is the name of the image of these tests in containerd.
const testImage = "registry.example/team/app:v1"

// withImage starts a daemon with an image that is not unpacked.
func withImage(t *testing.T, version, namespace string) *realtest.Daemon {
	t.Helper()
	d := startDaemon(t, version)
	archive := realtest.ImageArchive(t, testImage, realtest.Rootfs(t), map[string]any{"Cmd": []string{"sh"}, "User": "web"},
		map[string]string{"etc/passwd": "root:x:0:0::/:/bin/sh\nweb:x:33:33::/srv:/bin/sh\n", "srv/greeting": "hello"}, map[string]string{"srv/more": "more"})
	d.Ctr(namespace, "images", "import", "--no-unpack", archive)
	return d
}

// imaged opens a backend on a daemon, with a snapshotter.
func imaged(t *testing.T, d *realtest.Daemon, snapshotter string, more ...any) *fixture {
	t.Helper()
	config := map[string]any{"address": d.Address, "snapshotter": snapshotter}
	for i := 0; i+1 < len(more); i += 2 {
		config[more[i].(string)] = more[i+1]
	}
	return newFixture(t, filepath.Base(d.Dir)+"/b-"+filepath.Base(t.Name()), config)
}

// digest returns that of the image.
func (f *fixture) digest() string {
	f.t.Helper()
	image, err := f.b.Image(f.t.Context(), testImage)
	if err != nil {
		f.t.Fatal(err)
	}
	return image.Digest
}

// root prepares the root file system of a container.
func (f *fixture) root(id, digest string) executor.Root {
	f.t.Helper()
	root, err := f.b.PrepareRoot(f.t.Context(), id, digest)
	if err != nil {
		f.t.Fatal(err)
	}
	return root
}

// onRoot returns a request for a script on the root file system of its container.
func (f *fixture) onRoot(ref executor.Ref, runtime, script string) executor.Workload {
	f.t.Helper()
	f.rootfs = f.b.driver.rootPath(ref.ID)
	return f.workload(ref, runtime, script)
}

// runOn runs a script on the root file system of its container to its end.
func (f *fixture) runOn(ref executor.Ref, runtime, script string) string {
	f.t.Helper()
	if _, err := f.b.Create(f.t.Context(), f.onRoot(ref, runtime, script)); err != nil {
		f.t.Fatal(err)
	}
	exit, _ := f.host.WaitReleased(f.t, ref)
	if exit.Code == nil || *exit.Code != 0 {
		f.t.Errorf("%s: got %+v, and %q", ref, exit, f.streams.Output(ref, "err"))
	}
	return f.streams.Output(ref, "out")
}

// free removes a container and its root file system, of which nothing may be left.
func (f *fixture) free(d *realtest.Daemon, namespace string, ref executor.Ref) {
	f.t.Helper()
	if err := f.b.Delete(f.t.Context(), ref); err != nil {
		f.t.Error(err)
	}
	for range 2 {
		if err := f.b.RemoveRoot(f.t.Context(), ref.ID); err != nil {
			f.t.Error(err)
		}
	}
	f.nothingOf(d, namespace, ref.ID)
}

// nothingOf fails if something is left of the root file system of a container.
func (f *fixture) nothingOf(d *realtest.Daemon, namespace, id string) {
	f.t.Helper()
	cid := f.b.driver.owner.ContainerID(id)
	left := d.Ctr(namespace, "leases", "list", "--quiet")
	for _, snapshotter := range []string{"overlayfs", "native"} {
		left += d.Ctr(namespace, "snapshots", "--snapshotter", snapshotter, "list")
	}
	if strings.Contains(left, cid) {
		f.t.Errorf("of %s there is left:\n%s", cid, left)
	}
	if _, err := os.Lstat(f.b.driver.rootPath(id)); !os.IsNotExist(err) {
		f.t.Errorf("%s is left: %v", f.b.driver.rootPath(id), err)
	}
	if ids, err := f.b.Roots(f.t.Context()); err != nil || len(ids) > 0 {
		f.t.Errorf("roots: got %q, %v", ids, err)
	}
}

// snapshotDirs counts the directories of snapshots on the daemon's disk.
func snapshotDirs(t *testing.T, d *realtest.Daemon, snapshotter string) int {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(d.Dir, "root/io.containerd.snapshotter.v1."+snapshotter+"/snapshots/*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(dirs)
}

// TestImages runs attempts on root file systems from an image of the daemon's, on its
// snapshotters and with each generation of shims.
func TestImages(t *testing.T) {
	everyDaemon(t, func(t *testing.T, version string) {
		d := withImage(t, version, "davit")
		for _, snapshotter := range []string{"overlayfs", "native"} {
			f := imaged(t, d, snapshotter)
			all, err := f.b.Images(t.Context())
			if err != nil || len(all) != 1 || all[0].Name != testImage || all[0].Digest != f.digest() || all[0].Platform == "" || all[0].ID == "" || all[0].Size == 0 {
				t.Fatalf("images: got %+v, %v", all, err)
			}
			for i, runtime := range runtimesOn(version) {
				ref := first(fmt.Sprintf("app-%s-%d", snapshotter, i))
				root := f.root(ref.ID, f.digest())
				if text, err := os.ReadFile(filepath.Join(root.Path, "srv/greeting")); root.Problem != "" || string(text) != "hello" {
					t.Fatalf("%s: got %+v, %q, %v", snapshotter, root, text, err)
				}
				unpacked := snapshotDirs(t, d, snapshotter)
				f.runOn(ref, runtime, "cat /srv/greeting /srv/more; echo one >/data; rm /srv/more")
				if got := f.streams.Output(ref, "out"); got != "hellomore" {
					t.Errorf("%s: got %q", snapshotter, got)
				}
				ref.Attempt++
				f.crash()
				f.open()
				f.root(ref.ID, "")
				if got := f.runOn(ref, runtime, "cat /data; ls /srv"); got != "one\ngreeting\n" {
					t.Errorf("%s: the second attempt sees %q", snapshotter, got)
				}
				if text, err := os.ReadFile(filepath.Join(root.Path, "data")); string(text) != "one\n" {
					t.Errorf("%s: the host sees %q, %v", snapshotter, text, err)
				}
				f.free(d, "davit", ref)
				if left := snapshotDirs(t, d, snapshotter); left != unpacked-1 {
					t.Errorf("%s has %d directories, want %d: those of the image's layers", snapshotter, left, unpacked-1)
				}
			}
		}
	})
}

// TestImageIsGone removes the image, collects garbage and restarts the daemon while a
// container runs from it.
func TestImageIsGone(t *testing.T) {
	everyDaemon(t, func(t *testing.T, version string) {
		d := withImage(t, version, "davit")
		f := imaged(t, d, "overlayfs")
		ref := first("app")
		digest := f.digest()
		root := f.root(ref.ID, digest)
		if _, err := f.b.Create(t.Context(), f.onRoot(ref, "", "until [ -e /go ]; do sleep 0.05; done; cat /srv/greeting; echo kept >/data")); err != nil {
			t.Fatal(err)
		}
		if err := f.b.RemoveRoot(t.Context(), ref.ID); executor.CodeOf(err) != executor.FailedPrecondition {
			t.Errorf("removal while it runs: got %v", err)
		}
		d.Ctr("davit", "images", "remove", "--sync", testImage)
		d.Kill()
		d.Start()
		if err := os.WriteFile(filepath.Join(root.Path, "go"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if exit, _ := f.host.WaitReleased(t, ref); exit.Code == nil || *exit.Code != 0 || f.streams.Output(ref, "out") != "hello" {
			t.Errorf("got %+v, %q", exit, f.streams.Output(ref, "out"))
		}
		_, err := f.b.Image(t.Context(), testImage)
		if executor.CodeOf(err) != executor.NotFound || !strings.Contains(err.Error(), "-n davit images pull "+testImage+"`") {
			t.Errorf("image: got %v", err)
		}
		if _, err := f.b.PrepareRoot(t.Context(), "other", digest); executor.CodeOf(err) != executor.NotFound {
			t.Errorf("another root: got %v", err)
		}
		ref.Attempt++
		f.root(ref.ID, "")
		if got := f.runOn(ref, "", "cat /srv/greeting /data"); got != "hellokept\n" {
			t.Errorf("the second attempt sees %q", got)
		}
		f.free(d, "davit", ref)
		f.nothingOf(d, "davit", "other")
	})
}

// TestRootsOfInterruptedSteps ends the executor between any two steps of making a root file
// system. The next one goes on with it, or removes it, and nothing is left.
func TestRootsOfInterruptedSteps(t *testing.T) {
	d := withImage(t, realtest.V24, "davit")
	f := imaged(t, d, "native")
	half := func(id string, steps int) {
		ctx := f.b.driver.imageContext(t.Context())
		r := root{id: id, cid: f.b.driver.owner.ContainerID(id), snapshotter: "native"}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(f.b.driver.createLease(ctx, r, f.digest()))
		if steps == 2 {
			// A layer is half unpacked.
			_, config, _, err := f.b.driver.readImage(ctx, f.digest())
			must(err)
			_, err = f.b.driver.conn.snapshots.Prepare(r.leased(ctx), &snapshotsapi.PrepareSnapshotRequest{Snapshotter: r.snapshotter, Key: r.extraction(chainIDs(config.RootFS.DiffIDs)[0])})
			must(err)
		}
		if steps > 2 {
			must(f.b.driver.snapshot(ctx, r, f.digest()))
		}
		if steps > 3 {
			if problem := f.b.driver.showRoot(ctx, r, f.b.driver.rootPath(id)); problem != "" {
				t.Fatal(problem)
			}
		}
		f.crash()
		f.open()
		if ids, err := f.b.Roots(t.Context()); err != nil || len(ids) != 1 || ids[0] != id {
			t.Errorf("after %d steps: roots are %q, %v", steps, ids, err)
		}
	}
	for steps := 1; steps <= 4; steps++ {
		half("removed", steps)
		if err := f.b.RemoveRoot(t.Context(), "removed"); err != nil {
			t.Error(err)
		}
		f.nothingOf(d, "davit", "removed")
		ref := first(fmt.Sprintf("goes-on-%d", steps))
		half(ref.ID, steps)
		f.root(ref.ID, f.digest())
		if got := f.runOn(ref, "", "cat /srv/greeting"); got != "hello" {
			t.Errorf("after %d steps: got %q", steps, got)
		}
		f.free(d, "davit", ref)
	}
	// A removal that was cut off after it had unmounted.
	f.root("removed", f.digest())
	if err := f.b.driver.hideRoot(f.b.driver.rootPath("removed")); err != nil {
		t.Fatal(err)
	}
	f.crash()
	f.open()
	if err := f.b.RemoveRoot(t.Context(), "removed"); err != nil {
		t.Error(err)
	}
	f.nothingOf(d, "davit", "removed")
}

// TestImageNamespace has images in another namespace than containers.
func TestImageNamespace(t *testing.T) {
	d := withImage(t, realtest.V17, "k8s.io")
	f := imaged(t, d, "overlayfs", "image_namespace", "k8s.io")
	ref := first("app")
	f.root(ref.ID, f.digest())
	if got := f.runOn(ref, "", "cat /srv/greeting"); got != "hello" {
		t.Errorf("got %q", got)
	}
	f.free(d, "k8s.io", ref)
	f.nothingOf(d, "davit", ref.ID)
	plain := imaged(t, d, "overlayfs")
	if _, err := plain.b.Image(t.Context(), testImage); executor.CodeOf(err) != executor.NotFound || !strings.Contains(err.Error(), "namespace davit") {
		t.Errorf("got %v", err)
	}
}

// TestHandedRoot has a daemon that does not see our mounts, and a shim of an unknown kind:
// the root file system is then mounted by the shim.
func TestHandedRoot(t *testing.T) {
	for _, apart := range []bool{true, false} {
		d := withImage(t, realtest.V17, "davit")
		runtime, blocks := "", []executor.RuntimeSettings(nil)
		if apart {
			d.Kill()
			d.StartApart()
		} else {
			dir := realtest.Dir(t)
			if err := os.Symlink(filepath.Join(realtest.Bin(t, realtest.V17), "containerd-shim-runc-v2"), filepath.Join(dir, "containerd-shim-other-v2")); err != nil {
				t.Fatal(err)
			}
			d.Kill()
			d.AddPath(dir)
			d.Start()
			runtime, blocks = "other", []executor.RuntimeSettings{{Name: "other", Body: []byte(`{"shim":"io.containerd.other.v2"}`)}}
			if (runtimes.Resolved{Shim: "io.containerd.other.v2"}).Kind() != runtimes.KindGeneric {
				t.Fatal("the shim is of a known kind")
			}
		}
		f := on(t, d, blocks...)
		ref := first("app")
		path := f.root(ref.ID, f.digest()).Path
		if err := os.WriteFile(filepath.Join(path, "from-host"), []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := f.b.Create(t.Context(), f.onRoot(ref, runtime, "echo kept >/data; cat /from-host; until [ -e /go ]; do sleep 0.05; done")); err != nil {
			t.Fatal(err)
		}
		wait.Until(t, "it has read what the host wrote", func() bool { return f.streams.Output(ref, "out") == "text" })
		if root := f.root(ref.ID, ""); root.Problem == "" {
			t.Errorf("apart %t: while it runs, got %+v, want a problem", apart, root)
		}
		if err := f.b.Signal(t.Context(), ref, 9); err != nil {
			t.Fatal(err)
		}
		f.host.WaitReleased(t, ref)
		if got := f.streams.Output(ref, "out"); got != "text" {
			t.Errorf("apart %t: got %q", apart, got)
		}
		root := f.root(ref.ID, "")
		if text, err := os.ReadFile(filepath.Join(root.Path, "data")); root.Problem != "" || string(text) != "kept\n" {
			t.Errorf("apart %t: after the end, got %+v, %q, %v", apart, root, text, err)
		}
		ref.Attempt++
		if got := f.runOn(ref, runtime, "cat /data"); got != "kept\n" {
			t.Errorf("apart %t: the second attempt sees %q", apart, got)
		}
		f.free(d, "davit", ref)
	}
}

// TestStrayOnRoot has a host whose state is lost while a container runs on an image of the
// daemon's. It cannot be adopted, and nothing is left of one that is removed.
func TestStrayOnRoot(t *testing.T) {
	d := withImage(t, realtest.V17, "davit")
	f := imaged(t, d, "native")
	ref := first("stray")
	path := f.root(ref.ID, f.digest()).Path
	if _, err := f.b.Create(t.Context(), f.onRoot(ref, "", "sleep 600")); err != nil {
		t.Fatal(err)
	}
	f.crash()
	if err := unmount(path); err != nil { // or its files would be lost, too
		t.Fatal(err)
	}
	if err := os.RemoveAll(f.env.StateDir); err != nil {
		t.Fatal(err)
	}
	f.env.HostID, f.env.StateDir = "later", filepath.Join(f.dir, "later")
	if err := os.Mkdir(f.env.StateDir, 0o700); err != nil {
		t.Fatal(err)
	}
	f.open()
	strays, err := f.b.Strays(t.Context())
	if err != nil || len(strays) != 1 || !strings.Contains(strays[0].Problem, "snapshot in containerd") {
		t.Fatalf("got %+v, %v", strays, err)
	}
	if _, err := f.b.AdoptStray(t.Context(), ref, strays[0].Key); executor.CodeOf(err) != executor.FailedPrecondition {
		t.Errorf("adoption: got %v", err)
	}
	if err := f.b.RemoveStray(t.Context(), ref, strays[0].Key); err != nil {
		t.Error(err)
	}
	if left := d.Ctr("davit", "leases", "list", "--quiet") + d.Ctr("davit", "snapshots", "--snapshotter", "native", "list"); strings.Contains(left, strays[0].Key) {
		t.Errorf("left is\n%s", left)
	}
}
