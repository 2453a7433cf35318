package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestServeLeavesContainersRunning(t *testing.T) {
	s := newSite(t)
	first := s.serve()
	id := s.detach("", "sleep 60")
	second := s.command("serve", "-c", s.config)
	out, err := second.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "davit: another host answers at "+s.socket) {
		t.Errorf("a second host: %v, %s", err, out)
	}
	if err := first.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := first.cmd.Wait(); err != nil {
		t.Errorf("the host ended with %v", err)
	}
	if !strings.Contains(first.log.String(), "host has stopped; its containers run on: containers=1") {
		t.Errorf("log:\n%s", first.log)
	}
	if _, err := os.Stat(s.socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	s.serve()
	s.want(0, id+"\n", "", "ps", "-q", "--no-trunc")
}

func TestServeDrains(t *testing.T) {
	s := newSite(t)
	h := s.serve("--drain=20s")
	s.detach("", "trap 15 3", "sleep 60")
	attached := s.command(s.program("", "trap 15 4", "print stdout ready", "sleep 60")...)
	var stdout syncBuffer
	attached.Stdout = &stdout
	if err := attached.Start(); err != nil {
		t.Fatal(err)
	}
	s.until(func() bool { return stdout.String() == "ready\n" })
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Wait(); err != nil {
		t.Errorf("the host ended with %v", err)
	}
	_ = attached.Wait()
	if code := attached.ProcessState.ExitCode(); code != 4 {
		t.Errorf("the attached run ended with %d, want the container's 4", code)
	}
	s.serve()
	s.want(0, "", "", "ps", "-q")
}

// TestServeDrainsAsTheyWant sends each container its own stop signal, and kills
// those that do not end in time.
func TestServeDrainsAsTheyWant(t *testing.T) {
	s := newSite(t)
	h := s.serve("--drain=500ms")
	wants := map[string]string{
		s.detach("--stop-signal USR1", "trap 10 6", "print stdout ready", "sleep 60"): "6\n",
		s.detach("", "ignore 15", "print stdout ready", "sleep 60"):                   "137\n",
	}
	for id := range wants {
		s.until(func() bool { return s.run("logs", id).stdout == "ready\n" })
	}
	h.end(t, syscall.SIGTERM)
	if !h.cmd.ProcessState.Success() {
		t.Errorf("the host ended with %v", h.cmd.ProcessState)
	}
	s.nothingRuns()
	s.serve()
	for id, want := range wants {
		s.want(0, want, "", "wait", id)
	}
}

// TestServeEphemeral kills the host, and later stops it.
func TestServeEphemeral(t *testing.T) {
	s := newSite(t)
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		h := s.serve("--ephemeral")
		s.until(func() bool { return s.run("ps", "-aq").stdout == "" }) // of the one before
		s.detach("", "ignore 15", "sleep 60")
		s.detach("--backend b", "exit 3")
		h.end(t, sig)
		if sig == syscall.SIGKILL {
			s.until(func() bool { return len(s.processes()) == 0 })
		}
		s.nothingRuns()
	}
}

func TestServeReplacesASocketThatIsLeft(t *testing.T) {
	s := newSite(t)
	h := s.serve()
	if err := h.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = h.cmd.Wait()
	if _, err := os.Stat(s.socket); err != nil {
		t.Fatal(err)
	}
	s.serve()
	s.want(0, "", "", "ps", "-q")
}

func TestValidate(t *testing.T) {
	s := newSite(t)
	s.want(0, s.config+" is valid: 2 backends\n", "", "validate", "-c", s.config)
	s.write(`
run_dir = "run"
backend "a" { executor = "absent" }
executor_dirs = ["` + filepath.Join(s.dir, "bin") + `"]
`)
	if r := s.run("validate", "-c", s.config); r.code != 1 || !strings.Contains(r.stderr, "davit-executor-absent") || !strings.Contains(r.stderr, s.config+":3,") {
		t.Errorf("missing executor: %+v", r)
	}
	s.write("\nrun_dri = \"x\"\nbackend \"a\" { executor = \"memory\" }\n")
	want := s.config + `:2,1: unknown attribute "run_dri"
  2 | run_dri = "x"
    | ^^^^^^^
  did you mean "run_dir"?
davit: ` + s.config + " is not valid\n"
	s.want(1, "", want, "validate", "-c", s.config)
	s.want(exitConfig, "", want, "serve", "-c", s.config)
}

func TestValidateLive(t *testing.T) {
	s := newSite(t)
	s.want(1, "", "davit: cannot reach the davit host at "+s.socket+": is `davit serve` running?\n", "validate", "--live", "-c", s.config)
	s.serve()
	if r := s.run("validate", "--live", "-c", s.config); r.code != 0 || r.stdout != s.config+" is valid: 2 backends\n" {
		t.Errorf("got %+v", r)
	}
}
