package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	s := newSite(t)
	s.serve()
	t.Run("output and code", func(t *testing.T) {
		s.want(3, "hello\n", "oops\n", s.program("", "print stdout hello", "print stderr oops", "exit 3")...)
	})
	t.Run("attached to some streams", func(t *testing.T) {
		s.want(3, "hello\n", "", s.program("-a stdout", "print stdout hello", "print stderr oops", "exit 3")...)
		s.want(0, "", "oops\n", s.program("-a STDERR", "print stdout hello", "print stderr oops")...)
		s.want(0, "hello\n", "oops\n", s.program("-a stdout -a stderr", "print stdout hello", "print stderr oops")...)
		s.want(0, "hello\n", "", s.program("-i -a stdout", "print stdout hello", "print stderr oops")...)
		s.want(125, "", "davit: both --attach and --detach are given; use one\n", s.program("-d -a stdout", "exit 0")...)
		s.want(125, "", "davit: --attach stdin needs -i, without which the container has no input\n", s.program("-a stdin", "exit 0")...)
	})
	t.Run("success", func(t *testing.T) {
		s.want(0, "1\n2\n3\n", "", s.program("--rm", "count stdout 3")...)
	})
	t.Run("killed", func(t *testing.T) {
		s.want(137, "", "", s.program("", "die 9")...)
	})
	t.Run("out of memory", func(t *testing.T) {
		s.want(137, "", "", s.program("", "oom")...) // said to terminals only
	})
	t.Run("command not found", func(t *testing.T) {
		r := s.run(s.program("", "nonsense")...)
		if r.code != 127 || !strings.HasPrefix(r.stderr, "davit: ") || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("command not executable", func(t *testing.T) {
		if r := s.run(s.program("", "exec /etc/passwd")...); r.code != 126 {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("unknown backend", func(t *testing.T) {
		s.want(125, "", "davit: no backend is named \"c\"; the backends are: a, b\n", s.program("--backend c", "exit 0")...)
	})
	t.Run("merged output", func(t *testing.T) {
		s.want(0, "a\nb\nc\n", "", s.program("--merge-output", "print stdout a", "print stderr b", "print stdout c")...)
	})
	t.Run("flags of the command", func(t *testing.T) {
		s.want(0, "-d\n", "", s.program("", "print stdout -d")...)
		s.want(0, "-d\n", "", append(s.program("--"), "print", "stdout", "-d")...)
	})
}

func TestRunWithoutHost(t *testing.T) {
	s := newSite(t)
	want := "davit: cannot reach the davit host at " + s.socket + ": is `davit serve` running?\n"
	s.want(125, "", want, s.program("", "exit 0")...)
	s.want(125, "", want, "run", "busybox", "true")
	s.want(1, "", want, "ps")
}

// TestRunSignals sends signals to the command line.
func TestRunSignals(t *testing.T) {
	s := newSite(t)
	s.serve()
	for _, tt := range []struct {
		name    string
		program []string
		signals []syscall.Signal
		again   bool
		code    int
		stderr  string
	}{
		{"forwarded", []string{"trap 15 7", "print stdout ready", "sleep 60"}, []syscall.Signal{syscall.SIGTERM}, false, 7, ""},
		{"others", []string{"trap 12 8", "print stdout ready", "sleep 60"}, []syscall.Signal{syscall.SIGUSR2}, false, 8, ""},
		{"not for it", []string{"trap 15 9", "trap 17 1", "trap 23 1", "print stdout ready", "sleep 60"}, []syscall.Signal{syscall.SIGCHLD, syscall.SIGURG, syscall.SIGTERM}, false, 9, ""},
		{"enough", []string{"ignore 2", "print stdout ready", "sleep 60"}, []syscall.Signal{syscall.SIGINT}, true, 125, "runs on: see `davit stop "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := s.command(s.program("", tt.program...)...)
			var stdout, stderr syncBuffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			s.until(func() bool { return stdout.String() == "ready\n" })
			done := make(chan struct{})
			go func() { defer close(done); _ = cmd.Wait() }()
			for _, sig := range tt.signals {
				if err := cmd.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
			}
			for ended := false; !ended; {
				select {
				case <-done:
					ended = true
				case <-time.After(50 * time.Millisecond):
					if tt.again { // two at once can become one
						_ = cmd.Process.Signal(tt.signals[0])
					}
				}
			}
			if code := cmd.ProcessState.ExitCode(); code != tt.code {
				t.Errorf("got code %d, want %d; stderr %q", code, tt.code, stderr.String())
			}
			if !strings.Contains(stderr.String(), tt.stderr) || tt.stderr == "" && stderr.String() != "" {
				t.Errorf("got stderr %q, want %q", stderr.String(), tt.stderr)
			}
		})
	}
}

func TestRunWhoseReaderLeaves(t *testing.T) {
	s := newSite(t)
	s.serve()
	gate := filepath.Join(s.dir, "gate")
	cmd := s.command(s.program("--name web", "print stdout first", "await "+gate, "print stdout second", "sleep 60")...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr syncBuffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("first\n"))); err != nil {
		t.Fatal(err)
	}
	out.Close()
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 125 || !strings.Contains(stderr.String(), "broken pipe; container ") {
		t.Errorf("got code %d, stderr %q", code, stderr.String())
	}
	if r := s.run("ps"); !strings.Contains(r.stdout, "web") {
		t.Errorf("the container does not run any more: %+v", r)
	}
}
