package main

import (
	"regexp"
	"strings"
	"testing"
)

// TestExecs starts commands in a container, and looks after them by their ids.
func TestExecs(t *testing.T) {
	s := newSite(t)
	s.serve()
	s.detach("--name web", "sleep 600")
	s.want(0, "", "", "execs", "-q", "web")
	short := s.execDetached("web", "print", "stdout", "one", ";", "print", "stderr", "two", ";", "print", "stdout", "three", ";", "exit", "7")
	long := s.execDetached("web", "sleep", "600")
	s.want(0, "7\n", "", "wait", "--exec", short, "web")
	s.want(0, short+"\n"+long+"\n", "", "execs", "-q", "web")
	if got := s.run("execs", "web").stdout; !regexp.MustCompile(`(?m)\A^ID +COMMAND +PID +CREATED +STATUS\n` + long + ` +sleep 600 +\d+ +.* ago +running \d+s\n` + short + ` +.*… +- +.* ago +exited \(7\) \d+s ago\n\z`).MatchString(got) {
		t.Errorf("execs:\n%s", got)
	}
	s.want(0, "one\nthree\n", "two\n", "logs", "--exec", short[:10], "web")
	s.want(0, "three\n", "", "logs", "--exec", short, "--tail", "1", "--stdout", "web")
	s.want(0, "", "two\n", "logs", "-f", "--stderr", "--exec", short, "web")
	s.want(0, long+"\n", "", "kill", "-s", "TERM", "--exec", long, "web")
	s.want(0, "143\n", "", "wait", "--exec", long, "web")
	s.want(1, "", "davit: no exec \"nope\" of container web\n", "logs", "--exec", "nope", "web")
	if r := s.run("kill", "--exec", long, "web"); r.code != 1 || !strings.Contains(r.stderr, "has ended") {
		t.Errorf("kill of one that has ended: %+v", r)
	}
}

// execDetached starts a command in a container, and returns the id of the exec.
func (s *site) execDetached(container string, args ...string) string {
	s.t.Helper()
	r := s.run(append([]string{"exec", "-d", container}, args...)...)
	if r.code != 0 {
		s.t.Fatalf("exec: %+v", r)
	}
	return strings.TrimSpace(r.stdout)
}
