package e2e

import (
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
