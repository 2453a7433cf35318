package e2e

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// imageSite is a host with a backend of each kind that runs OCI images.
func imageSite(t *testing.T) *site {
	t.Helper()
	need(t, debian)
	return newSite(t, "default_backend = \"shim\"", "backend \"shim\" {\n  executor = \"shim\"\n}\n", "backend \"process\" {\n  executor = \"process\"\n}\n", containerdBackend("containerd", debian, ""))
}

// tarFile is a file, a directory or a link of an archive.
type tarFile struct {
	tar.Header
	content []byte
}

func tarball(t testing.TB, files ...tarFile) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		f.Size = int64(len(f.content))
		if f.Mode == 0 {
			f.Mode = 0o755
		}
		if err := w.WriteHeader(&f.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// busyboxImage writes an archive as `docker save` does, of an image with busybox, a second
// layer and a config, and returns its path. more is the size of a file that busybox does
// not need.
func busyboxImage(t testing.TB, name string, more int) string {
	t.Helper()
	base, err := exec.Command("tar", "-C", rootfs, "-c", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, more)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	upper := tarball(t,
		tarFile{Header: tar.Header{Name: "srv/greeting"}, content: []byte("hello\n")},
		tarFile{Header: tar.Header{Name: "srv/noise"}, content: noise},
		tarFile{Header: tar.Header{Name: "bin/.wh.yes"}},
	)
	config, err := json.Marshal(map[string]any{
		"os": "linux", "architecture": runtime.GOARCH,
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{sum(base), sum(upper)}},
		"config": map[string]any{
			"Entrypoint": []string{"sh", "-c"}, "Cmd": []string{"cat greeting; echo $NAME; id -u"}, "Env": []string{"PATH=/bin", "NAME=image"},
			"User": "web", "WorkingDir": "/srv", "Labels": map[string]string{"from": "image"}, "StopSignal": "SIGINT",
			"Healthcheck": map[string]any{"Test": []string{"CMD-SHELL", "cat greeting"}, "Retries": 2},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	list := fmt.Sprintf(`[{"Config":"config.json","RepoTags":[%q],"Layers":["a.tar","b.tar"]}]`, name)
	archive := tarball(t,
		tarFile{Header: tar.Header{Name: "config.json"}, content: config}, tarFile{Header: tar.Header{Name: "a.tar"}, content: base},
		tarFile{Header: tar.Header{Name: "b.tar"}, content: upper}, tarFile{Header: tar.Header{Name: "manifest.json"}, content: []byte(list)},
	)
	path := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(path, archive, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func sum(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

// noImages checks that nothing is left of images and of root file systems.
func (s *site) noImages() {
	s.t.Helper()
	for _, dir := range []string{"images/blobs/sha256", "images/ingest", "images/ingest/partial", "images/layers", "images/tmp", "roots"} {
		s.waitFor("nothing is in "+dir, func() bool {
			left, _ := os.ReadDir(filepath.Join(s.dir, "state", dir))
			return len(left) == 0 || len(left) == 1 && left[0].Name() == "partial"
		})
	}
}

// TestImageOnEachBackend runs one image by changing one word.
func TestImageOnEachBackend(t *testing.T) {
	s := imageSite(t)
	archive := busyboxImage(t, "app:1", 100)
	if got := s.must("load", "-i", archive); got != "app:1" {
		t.Errorf("load printed %q", got)
	}
	for _, b := range []string{"shim", "containerd", "process"} {
		t.Run(b, func(t *testing.T) {
			run := func(args ...string) result { return s.run(append([]string{"run", "--backend", b}, args...)...) }
			if r := run("--rm", "app:1"); r.code != 0 || r.stdout != "hello\nimage\n33\n" {
				t.Errorf("as the image says: got %+v", r)
			}
			if r := run("--rm", "-e", "NAME=own", "-u", "0", "-w", "/tmp", "--entrypoint", "/bin/sh", "app:1", "-c", "pwd; id -u; echo $NAME; ls /bin/yes"); r.code == 0 || r.stdout != "/tmp\n0\nown\n" {
				t.Errorf("as the user says, and without the file that a layer hides: got %+v", r)
			}
			// Each container has a layer of its own, which a restart keeps.
			script := "echo x >>/count; wc -l </count; ls /srv"
			if r := run("--name", "c-"+b, "-u", "0", "app:1", script); r.code != 0 || !strings.HasPrefix(strings.TrimSpace(r.stdout), "1\n") {
				t.Errorf("first start: got %+v", r)
			}
			s.must("start", "c-"+b)
			s.must("wait", "c-"+b)
			if got := s.must("logs", "c-"+b); !strings.Contains(got, "\n2\n") {
				t.Errorf("second start: got %q", got)
			}
			if r := run("--rm", "-u", "0", "app:1", script); !strings.HasPrefix(strings.TrimSpace(r.stdout), "1\n") {
				t.Errorf("another container: got %+v", r)
			}
		})
	}
	if r := s.run("rmi", "app:1"); r.code == 0 || !strings.Contains(r.stderr, "3 containers") {
		t.Errorf("rmi of what is used: got %+v", r)
	}
	s.must("rmi", "-f", "app:1")
	s.must("start", "c-shim")
	s.must("wait", "c-shim")
	for _, b := range []string{"shim", "containerd", "process"} {
		s.must("rm", "c-"+b)
	}
	s.noImages()
}

// TestRootIsMountedAgain starts a container whose mount is gone, as after a reboot.
func TestRootIsMountedAgain(t *testing.T) {
	s := imageSite(t)
	s.must("load", "-i", busyboxImage(t, "app", 100))
	s.must("run", "--name", "c", "-u", "0", "app", "echo kept >/kept")
	id := s.inspect("c").ID
	s.kill()
	if out, err := exec.Command("umount", filepath.Join(s.dir, "state/roots", id, "fs")).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	s.start()
	s.waitBackend("shim")
	s.must("start", "c")
	if code := s.must("wait", "c"); code != "0" {
		t.Errorf("got exit code %s", code)
	}
	if got := s.must("run", "--rm", "--rootfs", filepath.Join(s.dir, "state/roots", id, "fs"), "cat", "/kept"); got != "kept" {
		t.Errorf("got %q, want what it wrote before", got)
	}
	s.must("rm", "c")
	s.must("image", "prune", "-a")
	s.noImages()
}

// TestKilledInLoad kills the host while it loads an image, at many moments. The next host
// has the whole image or nothing of it.
func TestKilledInLoad(t *testing.T) {
	need(t)
	s := newSite(t, "backend \"shim\" {\n  executor = \"shim\"\n}\n")
	archive := busyboxImage(t, "app", 32<<20)
	began := time.Now()
	s.must("load", "-i", archive)
	whole := time.Since(began)
	rounds := 6
	for i := range rounds {
		s.must("rmi", "app")
		load := s.command("load", "-i", archive)
		load.Stdout, load.Stderr = io.Discard, io.Discard
		if err := load.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(whole * time.Duration(i+1) / time.Duration(rounds+1))
		s.kill()
		_ = load.Wait()
		s.start()
		if r := s.run("images", "-q"); r.code != 0 {
			t.Fatalf("images: %+v", r)
		} else if r.stdout == "" {
			s.noImages()
			s.must("load", "-i", archive)
		}
		s.waitBackend("shim")
		if r := s.run("run", "--rm", "app"); r.stdout != "hello\nimage\n33\n" {
			t.Errorf("round %d: got %+v", i, r)
		}
	}
	s.must("rmi", "app")
	s.noImages()
}

// TestKilledInRun kills the host while it makes containers from an image. Nothing may be
// left of containers that nobody knows.
func TestKilledInRun(t *testing.T) {
	need(t)
	s := newSite(t, "backend \"shim\" {\n  executor = \"shim\"\n}\n")
	s.must("load", "-i", busyboxImage(t, "app", 100))
	for i := range 5 {
		var runs []*exec.Cmd
		for range 4 {
			run := s.command("run", "-d", "--reconnect", "0", "app")
			if err := run.Start(); err != nil {
				t.Fatal(err)
			}
			runs = append(runs, run)
		}
		time.Sleep(time.Duration(i) * 100 * time.Millisecond)
		s.kill()
		for _, run := range runs {
			_ = run.Wait()
		}
		s.start()
		s.waitBackend("shim")
		for _, c := range s.containers() {
			s.must("rm", "-f", c.ID)
		}
	}
	s.must("rmi", "app")
	s.noImages()
}

// TestImageGoesOut shows what a container has changed, and takes its image elsewhere and
// back: the same one, with its names.
func TestImageGoesOut(t *testing.T) {
	s := newSite(t, "default_backend = \"shim\"", "backend \"shim\" {\n  executor = \"shim\"\n}\n")
	s.must("load", "-i", busyboxImage(t, "app:1", 100))
	s.must("tag", "app:1", "app:2")
	s.must("run", "--name", "c", "-u", "0", "app:1", "rm greeting; echo x > /srv/new; chmod 700 /tmp")
	if got := s.must("diff", "c"); got != "C /srv\nD /srv/greeting\nA /srv/new\nC /tmp" {
		t.Errorf("diff: got %q", got)
	}
	s.must("rm", "c")
	s.must("create", "--name", "r", "--rootfs", rootfs, "true")
	if r := s.run("diff", "r"); r.code != 1 || !strings.Contains(r.stderr, "no layer of its own") {
		t.Errorf("diff without an image: got %+v", r)
	}
	s.must("rm", "r")
	id, file := s.must("images", "-q", "--no-trunc"), filepath.Join(t.TempDir(), "app.tar")
	s.must("save", "-o", file, "app")
	s.must("rmi", "app:1", "app:2")
	s.noImages()
	s.must("load", "-i", file)
	if got := s.must("images", "-q", "--no-trunc"); got != id {
		t.Errorf("loaded again: got %q, want %q", got, id)
	}
	if got := s.must("history", "--format", "{{.ID}} {{.Size}}", "app:2"); !strings.Contains(got, "<missing> ") {
		t.Errorf("history: got %q", got)
	}
	s.must("rmi", "app:1", "app:2")
	s.noImages()
}

// TestCommit makes an image of a container, and a container of that image, which has what
// the first one had changed, and what it was given, unless that is changed.
func TestCommit(t *testing.T) {
	s := newSite(t, "default_backend = \"shim\"", "backend \"shim\" {\n  executor = \"shim\"\n}\n")
	s.must("load", "-i", busyboxImage(t, "app:1", 100))
	s.must("run", "--name", "c", "-u", "0", "-e", "OF=run", "app:1", "rm greeting; echo x > /srv/new; chmod 700 /tmp; ln -s new /srv/link; mkfifo /srv/fifo")
	id := s.must("commit", "-m", "a note", "-c", "ENV MADE=commit", "-c", "WORKDIR /", "c", "app:2")
	if got := s.must("images", "-q", "--no-trunc", "app:2"); got != id {
		t.Errorf("commit said %q, and images %q", id, got)
	}
	if got := s.must("history", "--format", "{{.Comment}}", "app:2"); !strings.HasPrefix(got, "a note") {
		t.Errorf("history: got %q", got)
	}
	s.must("rm", "c")
	s.must("rmi", "app:1")
	if got := s.must("run", "--rm", "app:2", "pwd; echo $MADE$OF; ls -d /srv/*; cat /srv/link; stat -c %a /tmp"); got != "/\ncommitrun\n/srv/fifo\n/srv/link\n/srv/new\n/srv/noise\nx\n700" {
		t.Errorf("the image's container: got %q", got)
	}
	s.must("run", "--name", "d", "app:2", "true")
	for why, args := range map[string][]string{
		"no instruction": {"commit", "-c", "RUN x", "d"}, "invalid reference format": {"commit", "d", "UPPER"}, `no container "nobody"`: {"commit", "nobody"},
	} {
		if r := s.run(args...); r.code != 1 || !strings.Contains(r.stderr, why) {
			t.Errorf("%v: got %+v, want %q", args, r, why)
		}
	}
	s.must("rm", "d")
	s.must("rmi", "app:2")
	s.noImages()
}
