package e2e

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/realtest"
)

// TestTerminalSession does at a terminal what users of docker do there, and once more with a
// host that is killed in the middle of each step: nobody at the terminal notices more than a
// message. It is a part of `make matrix`, since much of it is waiting.
func TestTerminalSession(t *testing.T) {
	if !realtest.Matrix() {
		t.Skip("set DAVIT_MATRIX=1")
	}
	for _, backend := range []string{"shim", "containerd"} {
		for _, kill := range []bool{false, true} {
			name := backend
			if kill {
				name += ", host killed"
			}
			t.Run(name, func(t *testing.T) { atTheTerminal(t, backend, kill) })
		}
	}
}

func atTheTerminal(t *testing.T, backend string, kill bool) {
	need(t)
	block := "backend \"main\" {\n  executor = \"shim\"\n}\n"
	if backend == "containerd" {
		need(t, newest)
		block = containerdBackend("main", newest, "")
	}
	s := newSite(t, block)
	strike := func() {
		if kill {
			s.kill()
			s.start()
		}
	}
	root := ownRootfs(t)

	// A shell in a new container.
	p := s.atTerminal("run", "-it", "--name", "box", "--rootfs", root, "sh")
	p.see("#")
	p.raw()
	p.press("echo $((40+2))\n")
	p.see("42")
	strike()
	p.press("echo $((50+5))\n")
	p.see("55")
	p.size(30, 100)
	strike()
	p.sees("stty size\n", "30 100")
	// It goes on in the background while nobody is there.
	p.press("\x10\x11")
	if code := p.end(); code != 0 || !strings.Contains(p.text(), "detached") {
		t.Errorf("detached: code %d: %q", code, p.text())
	}
	strike()
	p = s.atTerminal("attach", "box")
	p.raw()
	p.sees("echo $((60+6))\n", "66")
	strike()
	p.sees("echo $((70+7))\n", "77")

	// A shell beside it, with jobs that are stopped and go on.
	e := s.atTerminal("exec", "-it", "box", "sh")
	e.see("#")
	e.raw()
	e.press("sleep 300\n")
	s.waitFor("it runs", func() bool { return strings.Contains(s.must("top", "box"), "sleep 300") })
	e.press("\x1a")
	e.see("Stopped")
	strike()
	e.press("fg\n")
	s.waitFor("it is interrupted", func() bool { // at the earliest when it is in the foreground again
		e.press("\x03")
		time.Sleep(100 * time.Millisecond)
		return !strings.Contains(s.must("top", "box"), "sleep 300")
	})
	e.sees("echo $((80+8))\n", "88")
	e.press("exit 7\n")
	if code := e.end(); code != 7 {
		t.Errorf("exec: code %d: %q", code, e.text())
	}

	// An editor.
	e = s.atTerminal("exec", "-it", "box", "busybox", "vi", "/tmp/text")
	e.see("/tmp/text")
	e.raw()
	e.press("ihello")
	e.see("hello")
	strike()
	e.press(" world\x1b")
	time.Sleep(100 * time.Millisecond) // an escape, and not the beginning of a key's sequence
	e.press(":wq\n")
	if code := e.end(); code != 0 {
		t.Errorf("vi: code %d: %q", code, e.text())
	}
	if text, err := os.ReadFile(root + "/tmp/text"); string(text) != "hello world\n" {
		t.Errorf("vi has written %q, %v", text, err)
	}

	// A program that draws the screen again and again, and ends by a key.
	e = s.atTerminal("exec", "-it", "box", "busybox", "top", "-d", "1")
	e.see("PID")
	e.raw()
	strike()
	e.press("q")
	if code := e.end(); code != 0 {
		t.Errorf("top: code %d: %q", code, e.text())
	}

	// What shows the container, until it is interrupted.
	e = s.atTerminal("stats", "box")
	e.see("box")
	strike()
	shown := strings.Count(e.text(), "box")
	s.waitFor("stats go on", func() bool { return strings.Count(e.text(), "box") > shown })
	e.press("\x03")
	e.end()

	// Copies, pauses and limits meanwhile.
	s.must("cp", "box:/tmp/text", s.dir+"/text")
	strike()
	s.must("cp", s.dir+"/text", "box:/tmp/again")
	p.sees("cat /tmp/again\n", "hello world")
	s.must("pause", "box")
	strike()
	s.waitBackend("main")
	p.press("echo $((90+9))\n")
	if c := s.inspect("box"); c.State != "paused" {
		t.Errorf("it is %s, want paused", c.State)
	}
	s.must("unpause", "box")
	p.see("99")
	s.must("update", "--pids-limit", "64", "box")
	strike()

	// Its log is followed over a restart.
	l := s.atTerminal("logs", "-f", "box")
	l.see("55")
	s.waitBackend("main")
	s.must("restart", "-t", "0", "box")
	strike()
	if code := p.end(); code != 137 { // attached to the first run alone
		t.Errorf("attach: code %d: %q", code, p.text())
	}
	s.waitBackend("main")
	p = s.atTerminal("attach", "box")
	p.raw()
	p.sees("echo $((100+11))\n", "111")
	l.see("111")
	p.press("exit 3\n")
	if code := p.end(); code != 3 {
		t.Errorf("attach: code %d: %q", code, p.text())
	}
	if code := l.end(); code != 0 {
		t.Errorf("logs: code %d: %q", code, l.text())
	}
	if got := s.must("wait", "box"); got != "3" {
		t.Errorf("the container ended with %s", got)
	}
	for _, at := range []*pty{p, l} {
		if text := at.text(); strings.Contains(text, "panic") || strings.Contains(text, "goroutine ") {
			t.Errorf("the screen is %q", text)
		}
	}
	s.must("rm", "box")
}

// sees presses keys until a text is on the screen: the first press may come while there is no
// host, and is not lost, but what it does may take place while the screen is drawn anew.
func (p *pty) sees(keys, text string) {
	p.s.t.Helper()
	p.s.waitFor("the screen shows "+text, func() bool {
		p.press(keys)
		time.Sleep(150 * time.Millisecond)
		return strings.Contains(p.text(), text)
	})
}
