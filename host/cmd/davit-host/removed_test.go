package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
)

// TestRemovedBackend takes a backend with a running container out of the config, and puts
// it back.
func TestRemovedBackend(t *testing.T) {
	s := newSite(t)
	both, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	first := s.serve()
	id := s.detach("--name web --backend b", "trap 15 4", "print stdout hello", "sleep 600")
	s.until(func() bool { return s.run("logs", "web").stdout != "" })
	first.stop(t)
	s.write(strings.Replace(string(both), `backend "b" { executor = "memory" }`, "", 1))

	warning := `warning: backend "b" is not in the config, and has 1 container in `
	if r := s.run("validate", "--config", s.config); r.code != 0 || !strings.Contains(r.stderr, warning) {
		t.Errorf("validate: %+v", r)
	}
	second := s.serve()
	why := "backend b is no longer in the config; its containers run on, and are looked after again when it is back"
	if log := second.log.String(); !strings.Contains(log, why) || !strings.Contains(log, "containers=1") {
		t.Errorf("log of the host:\n%s", log)
	}
	if got := s.run("backends", "--no-trunc").stdout; !regexp.MustCompile(`(?m)^b +- +removed +- +- +1 +0 +- +` + why + `$`).MatchString(got) {
		t.Errorf("backends:\n%s", got)
	}
	if got := s.run("ps", "--no-trunc").stdout; !strings.Contains(got, "unknown: "+why) {
		t.Errorf("ps:\n%s", got)
	}
	s.want(1, "", "davit: "+why+"\n", "kill", "web")
	waiting := map[string]*served{}
	// The one that shows when its own request has reached the host is the last one.
	for _, command := range []string{"wait web", "logs -f web"} {
		w := &served{cmd: s.command(strings.Fields(command)...), log: &syncBuffer{}}
		w.cmd.Stdout, w.cmd.Stderr = w.log, w.log
		if err := w.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		waiting[command] = w
		s.until(func() bool {
			return strings.Contains(w.log.String(), "davit: waiting for container "+api.ShortID(id)+", whose state is not known: "+why)
		})
	}
	s.until(func() bool { return strings.Contains(waiting["logs -f web"].log.String(), "hello\n") })
	second.stop(t)

	s.write(string(both))
	s.serve()
	s.until(func() bool { return strings.Contains(s.run("ps").stdout, "running ") })
	s.want(0, "web\n", "", "stop", "web")
	for command, w := range waiting {
		if err := w.cmd.Wait(); err != nil {
			t.Errorf("%s: %v", command, err)
		}
		want := map[string]string{"wait web": "\n4\n", "logs -f web": "hello\n"}[command]
		if got := w.log.String(); !strings.Contains(got, want) {
			t.Errorf("%s: got %q", command, got)
		}
	}
	if r := s.run("validate", "--config", s.config); r.code != 0 || r.stderr != "" {
		t.Errorf("validate with the backend: %+v", r)
	}
}

// stop ends the host, and leaves its containers.
func (h *served) stop(t *testing.T) {
	t.Helper()
	if err := h.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}
