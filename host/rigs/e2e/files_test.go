package e2e

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ownRootfs returns a copy of the root file system that a test may change.
func ownRootfs(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "rootfs")
	if out, err := exec.Command("cp", "-a", rootfs, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	if b, err := os.ReadFile(path); err != nil || string(b) != want {
		t.Errorf("%s: got %q, %v, want %q", path, b, err, want)
	}
}

// Files are copied as docker copies them, on every backend with a file system, whether the
// container runs, has ended, or was never started.
func TestCopy(t *testing.T) {
	s := pauseSite(t)
	for _, b := range pausers {
		for _, state := range []string{"running", "exited", "created"} {
			t.Run(b+" "+state, func(t *testing.T) {
				root, here, volume := ownRootfs(t), t.TempDir(), t.TempDir()
				run := []string{"run", "-d"}
				if state == "created" {
					run = []string{"create"}
				}
				id := s.must(append(run, "--backend", b, "--rootfs", root, "-v", volume+":/data", "sh", "-c", "until [ -e /go ]; do sleep 0.1; done; cat /go /data/in")...)
				defer s.must("rm", "-f", id)
				if state == "exited" {
					s.must("kill", "-s", "KILL", id)
					s.run("wait", id)
				}
				write(t, here+"/src/a", "a")
				write(t, here+"/src/sub/b", "b")
				if err := os.Symlink("a", here+"/src/link"); err != nil {
					t.Fatal(err)
				}
				in := func(path string) string { return id + ":" + path }
				for _, c := range [][2]string{
					{here + "/src/a", in("/tmp/")},         // a file into a directory
					{here + "/src/a", in("/tmp/name")},     // under another name
					{here + "/src/sub/b", in("/tmp/name")}, // over a file
					{here + "/src", in("/tmp")},            // a directory into a directory
					{here + "/src", in("/tmp/new")},        // as a new one
					{here + "/src/.", in("/tmp/new/sub")},  // its contents into an existing one
					{here + "/src/link", in("/tmp/l")},     // a link
					{in("/tmp/src"), here + "/out"},        // and back
					{in("/tmp/src/."), here + "/out/again"},
					{in("tmp/src/link"), here + "/link"},
				} {
					s.must("cp", c[0], c[1])
				}
				s.must("cp", "-L", in("/tmp/src/link"), here+"/followed")
				for path, want := range map[string]string{
					root + "/tmp/a": "a", root + "/tmp/name": "b", root + "/tmp/src/sub/b": "b", root + "/tmp/new/a": "a", root + "/tmp/new/sub/sub/b": "b",
					here + "/out/sub/b": "b", here + "/out/again/a": "a", here + "/followed": "a",
				} {
					wantFile(t, path, want)
				}
				for _, path := range []string{root + "/tmp/l", here + "/link"} {
					if to, err := os.Readlink(path); to != "a" {
						t.Errorf("%s leads to %q, %v", path, to, err)
					}
				}
				for _, c := range []struct{ from, to, want string }{
					{here + "/src/a", in("/none/x"), "no such file"},
					{here + "/src/a", in("/tmp/none/"), "there is no directory"},
					{here + "/src", in("/tmp/a"), "is not a directory"},
					{here + "/none", in("/tmp"), "no such file"},
					{in("/none"), here, "no such file"},
					{in("/tmp/src"), here + "/src/a", "is not a directory"},
					{here, here, "neither path is in a container"},
					{in("/"), in("/"), "both paths are in containers"},
					{"nosuch:/", here, "no container"},
				} {
					if r := s.run("cp", c.from, c.to); r.code != 1 || !strings.Contains(r.stderr, c.want) {
						t.Errorf("cp %s %s: got %+v, want %q", c.from, c.to, r, c.want)
					}
				}
				if state != "running" {
					if r := s.run("cp", here+"/src/a", in("/data/in")); r.code != 1 || !strings.Contains(r.stderr, "something is mounted at /data") {
						t.Errorf("into what is mounted: got %+v", r)
					}
					return
				}
				s.must("cp", here+"/src/a", in("/data/in"))
				wantFile(t, volume+"/in", "a")
				s.must("cp", in("/"), here+"/all") // with volumes, and without what the kernel shows
				wantFile(t, here+"/all/data/in", "a")
				if files, err := os.ReadDir(here + "/all/proc"); err != nil || len(files) > 0 {
					t.Errorf("of /proc %d files were copied, %v", len(files), err)
				}
				s.must("cp", here+"/src/sub/b", in("/go"))
				if got := s.must("wait", id); got != "0" {
					t.Errorf("the container ended with %s", got)
				}
				if out := s.must("logs", id); out != "ba" {
					t.Errorf("the container has read %q", out)
				}
			})
		}
	}
}

// Whatever a container has made of its files, nothing outside of it is read or written.
func TestCopyStaysInside(t *testing.T) {
	s := pauseSite(t)
	outside := t.TempDir()
	write(t, outside+"/secret", "secret")
	for _, b := range pausers {
		root, here := ownRootfs(t), t.TempDir()
		for link, to := range map[string]string{"/abs": outside, "/up": "../../../../../../../../" + outside, "/file": outside + "/secret", "/self": "/proc/self/root", "/one": "/proc/1/root"} {
			if err := os.Symlink(to, root+link); err != nil {
				t.Fatal(err)
			}
		}
		id := s.must("run", "-d", "--backend", b, "--rootfs", root, "sleep", "1000")
		write(t, here+"/x", "changed")
		for _, path := range []string{"/abs", "/up", "/file", "/abs/secret", "/self" + outside, "/one" + outside, "/../.." + outside + "/secret"} {
			if r := s.run("cp", "-L", id+":"+path, here+"/got"); r.code != 1 {
				t.Errorf("%s: cp of %s: got %+v", b, path, r)
			}
			if r := s.run("cp", here+"/x", id+":"+path+"/secret"); r.code != 1 {
				t.Errorf("%s: cp to %s/secret: got %+v", b, path, r)
			}
		}
		s.must("cp", id+":/abs", here+"/link") // the link itself
		s.must("cp", here+"/x", id+":/file")   // takes its place
		wantFile(t, root+"/file", "changed")
		wantFile(t, outside+"/secret", "secret")

		// An archive that would write through a link of its own.
		var evil bytes.Buffer
		w := tar.NewWriter(&evil)
		_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: outside})
		_ = w.WriteHeader(&tar.Header{Name: "l/secret", Size: 1, Mode: 0o644})
		_, _ = io.WriteString(w, "x")
		_ = w.Close()
		cmd := s.command("cp", "-", id+":/tmp")
		cmd.Stdin = &evil
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "a link that the archive itself has made") {
			t.Errorf("%s: an archive that escapes: got %v, %s", b, err, out)
		}
		s.must("rm", "-f", id)
	}
	wantFile(t, outside+"/secret", "secret")
}

// What a container is made of decides what can be copied.
func TestCopyIsRefused(t *testing.T) {
	s := pauseSite(t)
	here := t.TempDir()
	write(t, here+"/x", "x")
	for _, b := range pausers {
		for _, command := range []string{"run", "create"} {
			args := []string{command, "--backend", b, "--rootfs", ownRootfs(t), "--read-only"}
			if command == "run" {
				args = append(args, "-d")
			}
			id := s.must(append(args, "sleep", "1000")...)
			if r := s.run("cp", here+"/x", id+":/x"); r.code != 1 || !strings.Contains(r.stderr, "read-only") {
				t.Errorf("%s: into a read-only root of one that was made by %s: got %+v", b, command, r)
			}
			if r := s.run("cp", id+":/etc/passwd", here+"/passwd"); r.code != 0 {
				t.Errorf("%s: from a read-only root of one that was made by %s: got %+v", b, command, r)
			}
			s.must("rm", "-f", id)
		}
	}
}

// A container is exported without what is mounted in it, as tar streams go: the root file
// system that comes of it runs.
func TestExport(t *testing.T) {
	s := pauseSite(t)
	volume := t.TempDir()
	write(t, volume+"/in-volume", "x")
	for _, b := range pausers {
		id := s.must("run", "-d", "--backend", b, "--rootfs", ownRootfs(t), "-v", volume+":/data", "sleep", "1000")
		file, again := filepath.Join(t.TempDir(), "tar"), filepath.Join(t.TempDir(), "rootfs")
		s.must("export", "-o", file, id)
		if err := os.Mkdir(again, 0o755); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("tar", "-x", "-f", file, "-C", again).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if _, err := os.Stat(again + "/data/in-volume"); err == nil {
			t.Errorf("%s: the volume was exported", b)
		}
		if got := s.must("run", "--rm", "--backend", b, "--rootfs", again, "echo", "it runs"); got != "it runs" {
			t.Errorf("%s: what was exported prints %q", b, got)
		}
		s.must("rm", "-f", id)
	}
}

// A host that is killed within a copy is an error at the client, and leaves no half file.
func TestCopyWhileTheHostDies(t *testing.T) {
	s := pauseSite(t)
	root := ownRootfs(t)
	write(t, root+"/tmp/old", "old")
	if err := os.Truncate(root+"/tmp/old", 256<<20); err != nil {
		t.Fatal(err)
	}
	id := s.must("run", "-d", "--rootfs", root, "sleep", "1000")

	out := s.command("cp", id+":/tmp/old", "-")
	stdout, err := out.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in := s.command("cp", "-", id+":/tmp")
	stdin, err := in.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints [2]bytes.Buffer
	out.Stderr, in.Stderr = &complaints[0], &complaints[1]
	for _, cmd := range []*exec.Cmd{out, in} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.ReadFull(stdout, make([]byte, 1<<20)); err != nil {
		t.Error(err)
	}
	w := tar.NewWriter(stdin)
	_ = w.WriteHeader(&tar.Header{Name: "old", Size: 64 << 20, Mode: 0o644})
	for range 32 {
		if _, err := w.Write(make([]byte, 1<<20)); err != nil {
			t.Error(err)
		}
	}
	s.kill()
	_, _ = io.Copy(io.Discard, stdout)
	_ = stdin.Close()
	for _, cmd := range []*exec.Cmd{out, in} {
		if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 1 {
			t.Errorf("%v: got %v", cmd.Args[1:], err)
		}
	}
	for i := range complaints {
		if text := complaints[i].String(); !strings.Contains(text, " broke") {
			t.Errorf("a client says %q", text)
		}
	}
	s.start()
	files, err := os.ReadDir(root + "/tmp")
	if info, serr := os.Stat(root + "/tmp/old"); err != nil || serr != nil || len(files) != 1 || info.Size() != 256<<20 {
		t.Errorf("%s has %v, %v, %v", root+"/tmp", files, err, serr)
	}
	if got := s.inspect(id).State; got != "running" {
		t.Error(fmt.Sprint("the container is ", got))
	}
}
