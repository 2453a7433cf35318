package e2e

import (
	"bytes"
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
)

func gzipped(t testing.TB, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tripSite is a host that has the image app, which greets.
func tripSite(t *testing.T) *site {
	t.Helper()
	if !realtest.Matrix() {
		t.Skip("set DAVIT_MATRIX=1: it starts programs of others")
	}
	need(t)
	s := newSite(t, "backend \"shim\" {\n  executor = \"shim\"\n}\n")
	s.must("load", "-i", busyboxImage(t, "app:1", 100))
	return s
}

// greets runs an image of [tripSite] that came back, and removes it.
func (s *site) greets(how, image string) {
	s.t.Helper()
	if r := s.run("run", "--rm", image); r.stdout != "hello\nimage\n33\n" {
		s.t.Errorf("%s: got %+v", how, r)
	}
	s.must("rmi", image)
}

// TestDockerThereAndBack takes an image to docker and back, in archives and through a registry.
// It runs there, and stays the same image.
func TestDockerThereAndBack(t *testing.T) {
	s := tripSite(t)
	d, why := newDockerd(t)
	if d == nil {
		t.Skip(why)
	}
	shelf := newShelf(t, t.TempDir())
	id := s.must("images", "-q", "--no-trunc")
	archive := filepath.Join(t.TempDir(), "app.tar")
	s.must("save", "-o", archive, "app:1")
	d.must(t, "load", "-i", archive)
	if got := d.must(t, "images", "-q", "--no-trunc"); got != id {
		t.Errorf("docker has the image %s, want %s", got, id)
	}
	if got := d.must(t, "run", "--rm", "--network", "none", "app:1"); got != "hello\nimage\n33" {
		t.Errorf("docker: got %q", got)
	}
	s.must("rmi", "app:1")
	s.noImages()

	d.must(t, "save", "-o", archive, "app:1")
	s.must("load", "-i", archive)
	if got := s.must("images", "-q", "--no-trunc"); got != id {
		t.Errorf("docker's archive has the image %s, want %s", got, id)
	}
	s.greets("docker's archive", "app:1")
	remote := shelf.host + "/team/app:1"
	d.must(t, "tag", "app:1", remote)
	d.must(t, "push", remote)
	s.must("pull", "-q", remote)
	if got := s.must("images", "-q", "--no-trunc"); got != id {
		t.Errorf("docker has pushed the image %s, want %s", got, id)
	}
	s.must("tag", remote, shelf.host+"/team/back:2")
	s.must("push", "-q", shelf.host+"/team/back:2")
	d.must(t, "pull", "-q", shelf.host+"/team/back:2")
	if got := d.must(t, "images", "-q", "--no-trunc", shelf.host+"/team/back"); got != id {
		t.Errorf("davit has pushed the image %s, want %s", got, id)
	}
	s.must("rmi", shelf.host+"/team/back:2")
	s.greets("what docker has pushed", remote)
	s.noImages()
}

// TestSkopeoThereAndBack takes an image through directories and registries by skopeo.
func TestSkopeoThereAndBack(t *testing.T) {
	s := tripSite(t)
	if _, err := exec.LookPath("skopeo"); err != nil {
		t.Skip("skopeo is not installed")
	}
	shelf := newShelf(t, t.TempDir())
	dir := t.TempDir()
	skopeo := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("skopeo", append([]string{"--insecure-policy", "copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("skopeo %v: %v: %s", args, err, out)
		}
	}
	archive := filepath.Join(dir, "app.tar")
	s.must("save", "-o", archive, "app:1")
	s.must("rmi", "app:1")
	for _, from := range []string{"oci-archive:" + archive, "docker-archive:" + archive} {
		kind, _, _ := strings.Cut(from, ":")
		skopeo(from, "oci:"+filepath.Join(dir, kind)+":1")
		layout := filepath.Join(dir, kind+".tar")
		if out, err := exec.Command("tar", "-C", filepath.Join(dir, kind), "-cf", layout, ".").CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		s.must("load", "-i", layout)
		s.greets("a layout of "+kind, s.must("images", "-q"))
		back := filepath.Join(dir, kind+"-back.tar")
		skopeo("oci:"+filepath.Join(dir, kind)+":1", "docker-archive:"+back+":app:2")
		s.must("load", "-i", back)
		s.greets("docker's archive of "+kind, "app:2")
		for _, format := range []string{"oci", "v2s2"} {
			remote := shelf.host + "/team/" + kind + ":" + format
			skopeo("--format", format, from, "docker://"+remote)
			s.must("pull", "-q", remote)
			s.greets(format+" in a registry", remote)
		}
	}
	s.noImages()
}

// TestUmociThereAndBack changes a layout with umoci, and loads it.
func TestUmociThereAndBack(t *testing.T) {
	s := tripSite(t)
	if _, err := exec.LookPath("umoci"); err != nil {
		t.Skip("umoci is not installed")
	}
	dir := t.TempDir()
	archive, layout := filepath.Join(dir, "app.tar"), filepath.Join(dir, "layout")
	s.must("save", "-o", archive, "app:1")
	s.must("rmi", "app:1")
	do := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v: %s", name, args, err, out)
		}
	}
	if err := os.Mkdir(layout, 0o700); err != nil {
		t.Fatal(err)
	}
	do("tar", "-C", layout, "-xf", archive)
	do("umoci", "unpack", "--image", layout+":1", filepath.Join(dir, "bundle"))
	if err := os.WriteFile(filepath.Join(dir, "bundle/rootfs/srv/greeting"), []byte("hello from umoci\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "bundle/rootfs/srv/noise")); err != nil {
		t.Fatal(err)
	}
	do("umoci", "repack", "--image", layout+":changed", filepath.Join(dir, "bundle"))
	do("umoci", "rm", "--image", layout+":1")
	do("tar", "-C", layout, "-cf", archive, ".")
	s.must("load", "-i", archive)
	image := s.must("images", "-q")
	if r := s.run("run", "--rm", image, "cat greeting; ls /srv"); r.stdout != "hello from umoci\ngreeting\n" {
		t.Errorf("got %+v", r)
	}
	s.must("rmi", image)
	s.noImages()
}
