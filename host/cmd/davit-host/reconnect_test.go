package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
)

// A process is a davit command that a test follows from outside.
type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr syncBuffer
}

func (s *site) start(args ...string) *process {
	s.t.Helper()
	p := &process{t: s.t, cmd: s.command(args...)}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	})
	return p
}

// code waits for the end of the process.
func (p *process) code() int {
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// end ends a host by a signal.
func (h *served) end(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := h.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	_ = h.cmd.Wait()
}

// TestClientsGoOnWhenTheHostComesBack kills and stops the host under everything
// that follows a container: no line and no event is lost, doubled or torn. The
// container writes on while the host is killed, and then waits for the test, however
// slow the machine is.
func TestClientsGoOnWhenTheHostComesBack(t *testing.T) {
	s := newSite(t)
	h := s.serve()
	const lines = 400
	var steps []string
	var stdout, stderr strings.Builder
	gate := func(i int) string { return filepath.Join(s.dir, fmt.Sprintf("gate-%d", i)) }
	open := func(i int) {
		if err := os.WriteFile(gate(i), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range lines {
		if i%100 == 10 {
			steps = append(steps, "await "+gate(i/100))
		}
		steps = append(steps, fmt.Sprintf("print stdout out-%d", i), fmt.Sprintf("print stderr err-%d", i), "sleep 5ms")
		fmt.Fprintf(&stdout, "out-%d\n", i)
		fmt.Fprintf(&stderr, "err-%d\n", i)
	}
	steps = append(steps, "exit 7")
	events := s.start("events", "-f", "--format", "json")
	run := s.start(s.program("--rm --name web", steps...)...)
	s.until(func() bool { return strings.Contains(run.stdout.String(), "out-3\n") })
	logs := s.start("logs", "-f", "web")
	stamped := s.start("logs", "-f", "-t", "--stdout", "web")
	wait := s.start("wait", "web")
	for _, p := range []*process{logs, stamped} {
		s.until(func() bool { return strings.Contains(p.stdout.String(), "out-3\n") })
	}
	s.until(func() bool { return connected(t, wait.cmd.Process.Pid) })
	open(0)
	for i, sig := range []os.Signal{os.Kill, os.Interrupt, os.Kill} {
		s.until(func() bool {
			return strings.Contains(logs.stdout.String(), fmt.Sprintf("out-%d\n", 50+100*i)) && strings.Contains(stamped.stdout.String(), fmt.Sprintf(" out-%d\n", 50+100*i))
		})
		h.end(t, sig)
		h = s.serve()
		open(i + 1)
	}
	if code := run.code(); code != 7 {
		t.Errorf("run: got code %d, want 7; stderr ends with %q", code, tail(run.stderr.String()))
	}
	for name, p := range map[string]*process{"run": run, "logs": logs} {
		if p == logs {
			_ = p.code()
		}
		if p.stdout.String() != stdout.String() {
			t.Errorf("%s: got %d bytes of stdout, want %d, all the same", name, len(p.stdout.String()), stdout.Len())
		}
		said, notes := split(p.stderr.String())
		if said != stderr.String() {
			t.Errorf("%s: got %d bytes of stderr, want %d, all the same", name, len(said), stderr.Len())
		}
		if !strings.Contains(notes, "davit: the host is gone, waiting for it to come back: ") || !strings.HasSuffix(notes, "\ndavit: the host is back\n") {
			t.Errorf("%s: notes %q", name, notes)
		}
	}
	if _ = stamped.code(); unstamped(t, stamped.stdout.String()) != stdout.String() {
		t.Errorf("logs -t: got %d bytes, not all that was written", len(stamped.stdout.String()))
	}
	if code := wait.code(); code != 0 || wait.stdout.String() != "7\n" {
		t.Errorf("wait: got code %d, %q, %q", code, wait.stdout.String(), wait.stderr.String())
	}
	s.until(func() bool { return strings.Contains(events.stdout.String(), "container.removed") })
	_ = events.cmd.Process.Kill()
	_ = events.code()
	last := uint64(0)
	for line := range strings.Lines(events.stdout.String()) {
		var e api.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if e.Seq != last+1 {
			t.Errorf("event %d follows %d", e.Seq, last)
		}
		last = e.Seq
	}
}

// connected reports whether a process has a Unix socket that is connected. A socket
// alone does not say so: it is there before it is connected.
func connected(t *testing.T, pid int) bool {
	t.Helper()
	table, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		t.Fatal(err)
	}
	descriptors, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for line := range strings.Lines(string(table)) {
		// Num RefCount Protocol Flags Type St Inode Path; state 03 is connected.
		fields := strings.Fields(line)
		if len(fields) < 7 || fields[5] != "03" {
			continue
		}
		if slices.ContainsFunc(descriptors, func(fd string) bool {
			to, _ := os.Readlink(fd)
			return to == "socket:["+fields[6]+"]"
		}) {
			return true
		}
	}
	return false
}

// split takes what davit itself says out of a stderr.
func split(stderr string) (workload, davit string) {
	var parts [2]strings.Builder
	for line := range strings.Lines(stderr) {
		if strings.HasPrefix(line, "davit: ") {
			parts[1].WriteString(line)
		} else {
			parts[0].WriteString(line)
		}
	}
	return parts[0].String(), parts[1].String()
}

func unstamped(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(text) {
		stamp, rest, _ := strings.Cut(line, " ")
		stamp, _, _ = strings.Cut(stamp, "~") // how far it may be off
		if _, err := time.Parse(time.RFC3339Nano, stamp); err != nil {
			t.Errorf("line %q has no timestamp", line)
		}
		out.WriteString(rest)
	}
	return out.String()
}

func tail(s string) string { return s[max(0, len(s)-200):] }

// TestRunEndsWhileThereIsNoHost looks for the rest of a foreground run whose
// container removes itself.
func TestRunEndsWhileThereIsNoHost(t *testing.T) {
	s := newSite(t)
	h := s.serve()
	gate, done := filepath.Join(s.dir, "gate"), filepath.Join(s.dir, "done")
	run := s.start(s.program("--rm", "print stdout before", "await "+gate, "print stdout after", "mark "+done+" x", "exit 6")...)
	s.until(func() bool { return run.stdout.String() == "before\n" })
	h.end(t, os.Kill)
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.until(func() bool { _, err := os.Stat(done); return err == nil })
	s.serve()
	if code := run.code(); code != 6 || run.stdout.String() != "before\nafter\n" {
		t.Errorf("got code %d, stdout %q, stderr %q", code, run.stdout.String(), run.stderr.String())
	}
	s.until(func() bool { return s.run("ps", "-aq").stdout == "" })
}

// TestLostAnswersStartNothingTwice kills the host while it starts a container.
func TestLostAnswersStartNothingTwice(t *testing.T) {
	s := newSite(t)
	s.write(strings.Replace(readFile(t, s.config), `backend "a" { executor = "memory" }`, "backend \"a\" {\n  executor = \"memory\"\n  config {\n    create_delay = \"200ms\"\n  }\n}", 1))
	for _, flags := range []string{"", "-d", "--rm"} {
		t.Run(flags, func(t *testing.T) {
			h := s.serve()
			defer func() { h.end(t, os.Interrupt) }()
			starts := filepath.Join(s.dir, "starts"+flags)
			run := s.start(s.program(flags+" --name web"+flags, "mark "+starts+" x", "print stdout hello", "exit 4")...)
			s.until(func() bool { return s.run("ps", "-aq").stdout != "" })
			h.end(t, os.Kill)
			h = s.serve()
			code, want := run.code(), "hello\n"
			if flags == "-d" {
				if code != 0 {
					t.Errorf("got code %d", code)
				}
				want = strings.TrimSpace(s.run("ps", "-aq", "--no-trunc").stdout) + "\n"
				code = 4
				s.want(0, "4\n", "", "wait", "web-d")
			}
			if code != 4 || run.stdout.String() != want {
				t.Errorf("got code %d, stdout %q, stderr %q", code, run.stdout.String(), run.stderr.String())
			}
			if got := readFile(t, starts); got != "x\n" {
				t.Errorf("it was started as often as there are lines here: %q", got)
			}
			s.run(append([]string{"rm", "-f"}, strings.Fields(s.run("ps", "-aq").stdout)...)...)
			s.until(func() bool { return s.run("ps", "-aq").stdout == "" })
		})
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestRunWithoutPatience looks at what a foreground run says when its host goes
// and it does not wait, or not any longer.
func TestRunWithoutPatience(t *testing.T) {
	for _, tt := range []struct {
		name, flags  string
		signal, then os.Signal
		want         []string
	}{
		{"stopped", "--reconnect 0", os.Interrupt, nil, []string{"davit: the host is stopping; container ", " runs on: "}},
		{"killed", "--reconnect 0", os.Kill, nil, []string{"broke: unexpected EOF; container ", " runs on: "}},
		{"for a while", "--reconnect 100ms", os.Kill, nil, []string{"davit: the host is gone, waiting", "; it has not come back within 100ms; container "}},
		{"interrupted", "", os.Kill, syscall.SIGINT, []string{"davit: the host is gone, waiting", "davit: interrupted; container "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			h := s.serve()
			run := s.start(s.program(tt.flags, "print stdout ready", "sleep 60")...)
			s.until(func() bool { return run.stdout.String() == "ready\n" })
			h.end(t, tt.signal)
			if tt.then != nil {
				s.until(func() bool { return strings.Contains(run.stderr.String(), "waiting") })
				if err := run.cmd.Process.Signal(tt.then); err != nil {
					t.Fatal(err)
				}
			}
			code := run.code()
			for _, want := range tt.want {
				if code != 125 || !strings.Contains(run.stderr.String(), want) {
					t.Errorf("got code %d, stderr %q, want %q", code, run.stderr.String(), want)
				}
			}
			s.serve() // takes the container up, and so it is removed in the end
			if r := s.run("ps"); !strings.Contains(r.stdout, "running") {
				t.Errorf("the container does not run any more: %+v", r)
			}
		})
	}
}
