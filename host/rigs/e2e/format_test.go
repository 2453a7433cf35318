package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Lists are printed by the templates that people bring along from docker.
func TestTemplates(t *testing.T) {
	need(t)
	s := newSite(t, "default_backend = \"bare\"\nbackend \"bare\" {\n  executor = \"shim\"\n}\n")
	id := s.must("run", "-d", "--name", "web", "-l", "app=x", "--rootfs", rootfs, "sh", "-c", "exit 7")
	if got := s.must("wait", "web"); got != "7" {
		t.Errorf("it ended with %s", got)
	}
	for _, test := range []struct{ args, want string }{
		{"ps -a --format {{.ID}}|{{.Names}}|{{.State}}|{{.Labels}}|{{.backend}}", short(id) + "|web|exited|app=x|bare"},
		{"ps --format {{.ID}}", ""},
		{"inspect -f {{.State.ExitCode}}|{{.exit.code}}|{{.Name}}|{{.Config.Labels.app}} web", "7|7|web|x"},
		{"inspect --format {{.State.Running|json}}|{{.error}} web", "false|"},
		{"backends --format {{.Name}}|{{.state}}", "bare|ready"},
		{"runtimes --format {{.Backend}}|{{.Default}}", ""},
		{"events --format {{.Action}}|{{.ID}}", ""},
		{"stats --no-stream --format {{.Name}}|{{.PIDs}} web", "web|-"},
	} {
		r := s.run(strings.Fields(test.args)...)
		if r.code != 0 || test.want != "" && strings.TrimSpace(r.stdout) != test.want {
			t.Errorf("%s: got %+v, want %q", test.args, r, test.want)
		}
	}
	if r := s.run("ps", "-a", "--format", "{{.Image}}"); r.code != 1 || !strings.Contains(r.stderr, "RunningFor") {
		t.Errorf("a field that does not exist: got %+v", r)
	}
}

// A wait goes on over the death of the host, for each condition.
func TestWaitConditions(t *testing.T) {
	need(t)
	s := newSite(t, "default_backend = \"bare\"\nbackend \"bare\" {\n  executor = \"shim\"\n}\n")
	root := ownRootfs(t)
	id := s.must("run", "-d", "--name", "web", "--rootfs", root, "sh", "-c", "until [ -e /go ]; do sleep 0.1; done; exit 7")
	type waiting struct {
		condition      string
		cmd            *exec.Cmd
		stdout, stderr bytes.Buffer
	}
	waits := []*waiting{{condition: "not-running"}, {condition: "next-exit"}, {condition: "removed"}}
	for _, w := range waits {
		before := s.asked(id)
		w.cmd = s.command("wait", "--condition", w.condition, id)
		w.cmd.Stdout, w.cmd.Stderr = &w.stdout, &w.stderr
		if err := w.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		s.waitFor("it has asked for the container, and waits", func() bool { return s.asked(id) >= before+2 })
	}
	s.kill()
	s.start()
	s.waitBackend("bare")
	touch(t, filepath.Join(root, "go"))
	for _, w := range waits {
		if w.condition == "removed" {
			s.must("rm", id)
		}
		if err := w.cmd.Wait(); err != nil || w.stdout.String() != "7\n" || !strings.Contains(w.stderr.String(), "the host is back") {
			t.Errorf("%s: got %v, %s%s", w.condition, err, &w.stdout, &w.stderr)
		}
	}
	if r := s.run("wait", "--condition", "sometime", id); r.code != 1 || !strings.Contains(r.stderr, "next-exit") {
		t.Errorf("an unknown condition: got %+v", r)
	}
}

// asked returns how often the host was asked for a container.
func (s *site) asked(id string) int {
	text, _ := os.ReadFile(s.log.Name())
	return strings.Count(string(text), "path=/v1/containers/"+id+" ")
}
