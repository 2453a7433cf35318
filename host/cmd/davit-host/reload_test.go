package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
)

const reloadBase = `
state_dir       = "state"
run_dir         = "run"
executor_dirs   = ["bin"]
default_backend = "a"
`

// backends returns the backends of the host with their states.
func (s *site) backends() string {
	s.t.Helper()
	infos, err := api.NewClient(s.socket).Backends(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	texts := make([]string, len(infos))
	for i, b := range infos {
		texts[i] = b.Name + " " + string(b.State)
	}
	return strings.Join(texts, ", ")
}

// TestReload changes the config of a host that runs, with the command and with SIGHUP.
func TestReload(t *testing.T) {
	s := newSite(t)
	h := s.serve()
	id := s.detach("--backend b", "sleep 60")
	s.want(0, "nothing has changed\n", "", "reload")

	s.write(reloadBase + `
log {
  level  = "debug"
  format = "json"
}
backend "a" {
  executor = "memory"
  config {
    create_delay = "1ms"
  }
}
backend "c" { executor = "memory" }
`)
	s.want(0, `backend a: restarted (config), `+s.config+`:11,1
backend b: removed (1 container of it left running)
backend c: added, `+s.config+`:17,1
log.level: changed (info to debug, for executors when they are started next), `+s.config+`:8,3
log.format: needs a restart of the host (text to json), `+s.config+`:9,3
`, "", "reload")
	if got := s.run("ps", "--format", "{{.State}}").stdout; got != "unknown\n" {
		t.Errorf("the container of the removed backend is %q, want unknown", got)
	}
	if !strings.Contains(h.log.String(), "[DEBUG]") {
		t.Error("the log's level has not changed")
	}

	// Nothing of a config counts that is not valid.
	s.write(reloadBase + `
log { level = "error" }
backend "a" {
  executor = "memory"
  config {
    creat_delay = "1ms"
  }
}
`)
	s.want(1, "", "davit: "+s.config+`:11,5: unknown attribute "creat_delay" in config; did you mean "create_delay"?`+"\n", "reload")
	s.write("nonsense")
	if r := s.run("reload"); r.code != 1 || !strings.Contains(r.stderr, s.config+":1,1") {
		t.Errorf("a file that is no config: got %+v", r)
	}
	if got := s.backends(); got != "a ready, b removed, c ready" {
		t.Errorf("after a refused reload the backends are %s", got)
	}

	s.write(reloadBase + `
log { format = "json" }
backend "a" { executor = "memory" }
backend "b" { executor = "memory" }
`)
	if err := h.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.until(func() bool {
		return strings.Count(h.log.String(), "the config was reloaded: config="+s.config+" changes=5") == 2
	})
	if got := s.run("ps", "--no-trunc", "--format", "{{.ID}} {{.State}}").stdout; got != id+" running\n" {
		t.Errorf("the backend is back: got %q", got)
	}
}

// TestReloadKilled kills a host while it reloads: the next one has the config of the file.
func TestReloadKilled(t *testing.T) {
	s := newSite(t)
	config := reloadBase + "backend \"a\" {\n  executor = \"memory\"\n  config {\n    create_delay = \"1ms\"\n  }\n}\n"
	h := s.serve()
	id := s.detach("", "sleep 60")
	s.write(config + `backend "c" { executor = "memory" }`)
	reload := s.command("reload")
	if err := reload.Start(); err != nil {
		t.Fatal(err)
	}
	before := h.log.String()
	for h.log.String() == before && reload.ProcessState == nil {
		time.Sleep(time.Millisecond)
	}
	h.end(t, syscall.SIGKILL)
	_ = reload.Wait()
	s.serve()
	s.want(0, "nothing has changed\n", "", "reload")
	s.until(func() bool { return s.backends() == "a ready, c ready" })
	s.until(func() bool {
		return s.run("ps", "--no-trunc", "--format", "{{.ID}} {{.State}}").stdout == id+" running\n"
	})
}
