package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/realtest"
)

// ctr runs the client of a backend's own containerd, and returns what it prints.
func (s *site) ctr(backend, daemon string, args ...string) string {
	s.t.Helper()
	socket := filepath.Join(s.dir, "run/backends", backend, "x/containerd.sock")
	out, err := exec.Command(filepath.Join(filepath.Dir(daemon), "ctr"), append([]string{"-a", socket, "-n", "davit"}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("ctr %s: %v %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// leases returns the leases of davit's in the containerd of a backend, a line each.
func (s *site) leases(backend, daemon string) string {
	var own []string
	for line := range strings.Lines(s.ctr(backend, daemon, "leases", "list")) {
		if strings.Contains(line, "davit.run/") {
			own = append(own, line)
		}
	}
	return strings.Join(own, "")
}

// nothingIn waits until nothing of containers is left in the containerd of a backend.
func (s *site) nothingIn(backend, daemon string) {
	s.t.Helper()
	left := "leases"
	for range 200 {
		if left = s.leases(backend, daemon); left == "" {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if left != "" {
		s.t.Errorf("leases that are left:\n%s", left)
	}
	for _, snapshotter := range []string{"overlayfs", "native"} {
		if left := s.ctr(backend, daemon, "snapshots", "--snapshotter", snapshotter, "list"); strings.Contains(left, "Active") {
			s.t.Errorf("snapshots that are left:\n%s", left)
		}
	}
	if left, _ := os.ReadDir(filepath.Join(s.dir, "state/backends", backend, "roots")); len(left) > 0 {
		s.t.Errorf("mounts that are left: %v", left)
	}
}

// TestImagesOfBackends runs an image that a containerd has, on the oldest with one of its
// snapshotters and the newest with another.
func TestImagesOfBackends(t *testing.T) {
	need(t, debian, newest)
	s := newSite(t, "default_backend = \"shim\"", "backend \"shim\" {\n  executor = \"shim\"\n}\n",
		containerdBackend("debian", debian, ""),
		"backend \"newest\" {\n  executor    = \"containerd\"\n  image_store = \"backend\"\n  config {\n    containerd  = \""+newest+"\"\n    snapshotter = \"native\"\n  }\n}\n")
	archive := busyboxImage(t, "app:1", 100)
	for backend, daemon := range map[string]string{"debian": debian, "newest": newest} {
		t.Run(backend, func(t *testing.T) {
			flags := []string{"--backend", backend}
			if backend == "debian" {
				flags = append(flags, "--image-store", "backend")
			}
			run := func(args ...string) result { return s.run(append(append([]string{"run"}, flags...), args...)...) }
			if r := run("--rm", "app:1"); r.code != 125 || !strings.Contains(r.stderr, "images pull") || !strings.Contains(r.stderr, "docker.io/library/app:1`") {
				t.Errorf("before it is there: got %+v", r)
			}
			s.ctr(backend, daemon, "images", "import", archive)
			if r := run("--rm", "app:1"); r.code != 0 || r.stdout != "hello\nimage\n33\n" {
				t.Errorf("as the image says: got %+v", r)
			}
			if r := run("--rm", "--pull", "always", "app:1"); r.code == 0 || !strings.Contains(r.stderr, "--pull is about davit's own image store") {
				t.Errorf("a pull: got %+v", r)
			}
			listed := s.must("images", "--digests", "--image-store", "backend", "--backend", backend)
			if !strings.Contains(listed, "app:1") || !strings.Contains(listed, "sha256:") || strings.Count(listed, "\n") != 1 {
				t.Errorf("listed is\n%s", listed)
			}
			if own := s.must("images", "-q"); own != "" {
				t.Errorf("davit has the images %s", own)
			}

			id := strings.TrimSpace(run("-d", "--name", "c-"+backend, "-u", "0", "app:1", "echo x >>/count; until [ -e /go ]; do sleep 0.1; done; wc -l </count").stdout)
			if shown := s.must("inspect", id); !strings.Contains(shown, `"image_store": "backend"`) || !strings.Contains(shown, `"image": "app:1"`) {
				t.Errorf("inspect shows\n%s", shown)
			}
			if got := s.must("exec", id, "sh", "-c", "id -u; cat /srv/greeting"); got != "0\nhello" {
				t.Errorf("exec printed %q", got)
			}
			if got := s.must("exec", "-u", "web", id, "id", "-u"); got != "33" {
				t.Errorf("exec as a user printed %q", got)
			}
			// Host, executor and daemon are killed, and the image is removed.
			s.kill()
			s.start()
			s.waitBackend(backend)
			s.ctr(backend, daemon, "images", "remove", "--sync", "docker.io/library/app:1")
			if err := syscall.Kill(s.backend(backend).PID, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			s.waitBackend(backend)
			write(t, filepath.Join(s.dir, "go"), "")
			s.must("cp", filepath.Join(s.dir, "go"), id+":/go")
			if code := s.must("wait", id); code != "0" {
				t.Errorf("got exit code %s", code)
			}
			s.must("start", id)
			s.must("wait", id)
			if got := s.must("logs", id); got != "1\n2" {
				t.Errorf("two starts have counted %q", got)
			}
			s.must("cp", id+":/count", s.dir)
			wantFile(t, filepath.Join(s.dir, "count"), "x\nx\n")
			s.must("export", "-o", filepath.Join(s.dir, "c.tar"), id)
			for _, verb := range []string{"diff", "commit"} {
				if r := s.run(verb, id); r.code == 0 || !strings.Contains(r.stderr, "of backend "+backend) {
					t.Errorf("%s: got %+v", verb, r)
				}
			}
			s.must("rm", id)
			s.nothingIn(backend, daemon)
		})
	}
	if r := s.run("run", "--image-store", "backend", "app:1"); r.code != 125 || !strings.Contains(r.stderr, "does not offer images; these do: debian, newest") {
		t.Errorf("a backend without images: got %+v", r)
	}
}

// TestKilledWhileRootIsMade kills host or executor at many moments of a run from an image
// that containerd has to unpack. Each time, the container is there or nothing of it.
func TestKilledWhileRootIsMade(t *testing.T) {
	need(t, newest)
	s := newSite(t, "backend \"main\" {\n  executor = \"containerd\"\n  config {\n    containerd = \""+newest+"\"\n  }\n}\n")
	archive := busyboxImage(t, "app:1", 8<<20)
	whole := 600 * time.Millisecond
	rounds := 2
	if realtest.Matrix() {
		rounds = 8
	}
	for i := range rounds {
		s.ctr("main", newest, "images", "import", "--no-unpack", archive)
		run := s.command("create", "--image-store", "backend", "app:1")
		if err := run.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(whole * time.Duration(i) / time.Duration(rounds))
		if i%2 == 0 {
			s.kill()
			_ = syscall.Kill(run.Process.Pid, syscall.SIGKILL)
			_ = run.Wait()
			s.start()
		} else {
			_ = syscall.Kill(s.backend("main").PID, syscall.SIGKILL)
			_ = run.Wait()
		}
		s.waitBackend("main")
		for _, c := range s.containers() {
			s.must("rm", "-f", c.ID)
		}
		s.nothingIn("main", newest)
		s.ctr("main", newest, "images", "remove", "--sync", "docker.io/library/app:1")
	}
}
