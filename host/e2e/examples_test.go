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
	s := newSite(t, "backend \"hi\" {\n  executor = \"hello\"\n}\n")
	r := s.runRootfs("--rm", "anything")
	if r.code != 0 || !strings.HasPrefix(r.stdout, "hello from ") {
		t.Errorf("got %+v", r)
	}
	if r := s.runRootfs("--runtime", "runc", "anything"); r.code != 125 || !strings.Contains(r.stderr, "no runtimes to choose from") {
		t.Errorf("a runtime where there are none: got %+v", r)
	}
}
