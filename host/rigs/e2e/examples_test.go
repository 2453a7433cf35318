package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestExampleEmbed(t *testing.T) {
	need(t, debian)
	out, err := exec.Command(filepath.Join(bin, "embed"), bin, rootfs, "/bin/echo", "hello").CombinedOutput()
	if err != nil || string(out) != "hello\nexit code 0, output complete\n" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestExampleExecutor(t *testing.T) {
	need(t)
	s := newSite(t, "backend \"hi\" {\n  executor = \"hello\"\n  config {\n    env = { GREETING = \"hello\" }\n  }\n}\n")
	r := s.runRootfs("--rm", "sh", "-c", "echo $GREETING; exit 3")
	if r.code != 3 || r.stdout != "hello\n" {
		t.Errorf("got %+v", r)
	}
	if r := s.runRootfs("--runtime", "runc", "true"); r.code != 125 || !strings.Contains(r.stderr, "no runtimes to choose from") {
		t.Errorf("a runtime where there are none: got %+v", r)
	}
}

func TestExampleProcess(t *testing.T) {
	need(t)
	config, err := os.ReadFile("../../../examples/config/process.hcl")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, string(config))
	for backend, want := range map[string]string{"host": "hello, this machine\n", "chroot": "hello, root of its own\n"} {
		r := s.runRootfs("--rm", "--backend", backend, "-m", "64m", "-u", "0:0", "sh", "-c",
			`echo "hello, $([ -d /usr/share ] && echo this machine || echo root of its own)"; exit 3`)
		if r.code != 3 || r.stdout != want {
			t.Errorf("%s: got %+v, want %q", backend, r, want)
		}
	}
	dir := t.TempDir()
	if r := s.runRootfs("--rm", "--backend", "chroot", "-v", dir+":/data", "touch", "/data/made"); r.code != 0 {
		t.Errorf("a mount: got %+v", r)
	}
	if _, err := os.Stat(dir + "/made"); err != nil {
		t.Error(err)
	}
	if r := s.runRootfs("--backend", "host", "-v", "/tmp:/data", "true"); r.code != 125 || !strings.Contains(r.stderr, `add "mounts" to "ignore"`) {
		t.Errorf("a mount that cannot be had: got %+v", r)
	}
}
