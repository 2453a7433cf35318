package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/davit-run/davit/host/rigs/wait"
	"golang.org/x/sys/unix"
)

func execSite(t *testing.T) *site {
	t.Helper()
	need(t)
	return newSite(t, "default_backend = \"bare\"\nbackend \"bare\" {\n  executor = \"shim\"\n}\n")
}

// sleeper runs a container that only sleeps.
func (s *site) sleeper(more ...string) string {
	s.t.Helper()
	return s.must(append(append([]string{"run", "-d", "--rootfs", rootfs}, more...), "sleep", "1000")...)
}

// withInput runs davit with an input.
func (s *site) withInput(in io.Reader, args ...string) result {
	s.t.Helper()
	cmd := s.command(args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &stdout, &stderr
	_ = cmd.Run()
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// TestExec runs commands in a container, with all that can be set.
func TestExec(t *testing.T) {
	s := execSite(t)
	id := s.sleeper("-e", "A=1", "-w", "/tmp")
	for _, tt := range []struct {
		args   string
		stdout string
		code   int
	}{
		{"ID echo hello", "hello\n", 0},
		{"ID sh -c 'exit 7'", "", 7},
		{"ID sh -c 'kill -9 $$'", "", 137},
		{"ID nonsense", "", 127},
		{"ID /etc/passwd", "", 126},
		{"nobody true", "", 125},
		{"--nonsense ID true", "", 125},
		{"-u nobody ID true", "", 125},
		{"ID sh -c 'echo $A; pwd; id -u'", "1\n/tmp\n0\n", 0},
		{"-e A=2 -e B -w / -u web ID sh -c 'echo $A $B; pwd; id -u'", "2\n/\n33\n", 0},
		{"ID cat", "", 0}, // its input is empty
	} {
		args := append([]string{"exec"}, words(strings.ReplaceAll(tt.args, "ID", id))...)
		if r := s.run(args...); r.code != tt.code || r.stdout != tt.stdout || (r.stderr == "") != (tt.code == 0 || tt.code == 7 || tt.code == 137) {
			t.Errorf("%s: got %+v", tt.args, r)
		}
	}
	s.must("stop", "-t", "0", id)
	if r := s.run("exec", id, "true"); r.code != 125 || !strings.Contains(r.stderr, "is not running") {
		t.Errorf("after the end: got %+v", r)
	}
}

// words splits a command line with quotes.
func words(line string) (all []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			all = append(all, part)
		} else {
			all = append(all, strings.Fields(part)...)
		}
	}
	return all
}

// TestExecDetached leaves commands running.
func TestExecDetached(t *testing.T) {
	s := execSite(t)
	id := s.sleeper()
	exec := s.must("exec", "-d", id, "sh", "-c", "echo out; sleep 1000")
	s.waitFor("it has written", func() bool {
		text, _ := os.ReadFile(filepath.Join(s.dir, "state/containers", id, "1/exec", exec, "stdout"))
		return string(text) == "out\n"
	})
	s.must("stop", "-t", "0", id)
	s.waitFor("it has ended with its container", func() bool {
		return strings.Contains(s.must("events", "--format", "json"), `"exec.exited"`)
	})
}

// TestExecPassesStreamsOn passes some MiB through a command, in both directions.
func TestExecPassesStreamsOn(t *testing.T) {
	s := execSite(t)
	id := s.sleeper()
	sent := make([]byte, 8<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(sent)
	r := s.withInput(bytes.NewReader(sent), "exec", "-i", id, "cat")
	if r.code != 0 || sha256.Sum256([]byte(r.stdout)) != sha256.Sum256(sent) {
		t.Errorf("got %d bytes of %d, code %d, %s", len(r.stdout), len(sent), r.code, r.stderr)
	}
	// The command ends before its input does.
	if r = s.withInput(bytes.NewReader(sent), "exec", "-i", id, "head", "-c", "5"); r.code != 0 || r.stdout != string(sent[:5]) {
		t.Errorf("head: got %d bytes, code %d, %s", len(r.stdout), r.code, r.stderr)
	}
	// A child that is left behind does not hold up the client.
	if r = s.run("exec", id, "sh", "-c", "sleep 600 & echo hi"); r.code != 0 || r.stdout != "hi\n" {
		t.Errorf("with a child in the background: got %+v", r)
	}
}

// TestExecOverDeathsOfTheHost kills the host while a command runs. Its streams go on, and
// nothing is lost or doubled; or else the client says so.
func TestExecOverDeathsOfTheHost(t *testing.T) {
	s := execSite(t)
	id := s.sleeper()
	cmd := s.command("exec", "-i", id, "cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	var stderr bytes.Buffer
	got := &counted{w: sum}
	cmd.Stdout, cmd.Stderr = got, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	want, sent := sha256.New(), int64(0)
	source := rand.NewChaCha8([32]byte{2})
	piece := make([]byte, 256<<10)
	for round := 0; round < 4 && err == nil; round++ {
		for n := 0; n < 1<<20 && err == nil; n += len(piece) {
			_, _ = source.Read(piece)
			_, _ = want.Write(piece)
			_, err = in.Write(piece) // fails if davit has ended
			sent += int64(len(piece))
		}
		if round%2 == 0 {
			s.waitFor("something has come back", func() bool { return got.bytes() > sent/2 || err != nil })
		}
		s.kill()
		s.start()
	}
	_ = in.Close()
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		if !strings.Contains(stderr.String(), "is certain only up to byte") {
			t.Errorf("code %d: %s", code, stderr.String())
		}
	} else if got.bytes() != sent || !bytes.Equal(sum.Sum(nil), want.Sum(nil)) {
		t.Errorf("got %d bytes of %d, and not the same: %s", got.bytes(), sent, stderr.String())
	}
}

// counted counts what is written.
type counted struct {
	mu sync.Mutex
	w  io.Writer
	n  int64
}

func (c *counted) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += int64(len(p))
	return c.w.Write(p)
}

func (c *counted) bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// TestExecWithASlowReader stops reading for a while. Only this command waits.
func TestExecWithASlowReader(t *testing.T) {
	s := execSite(t)
	id := s.sleeper()
	cmd := s.command("exec", id, "seq", "1", "300000")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if got := s.must("exec", id, "echo", "another"); got != "another" {
		t.Errorf("got %q", got)
	}
	time.Sleep(time.Second)
	all, err := io.ReadAll(out)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if n := bytes.Count(all, []byte("\n")); err != nil || n != 300_000 {
		t.Errorf("got %d lines, %v", n, err)
	}
}

// TestExecEndsWithItsClient kills davit: the command is ended.
func TestExecEndsWithItsClient(t *testing.T) {
	s := execSite(t)
	id := s.sleeper()
	cmd := s.command("exec", id, "sh", "-c", "echo begun; exec sleep 987")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	s.waitFor("it has ended", func() bool { return !strings.Contains(s.must("top", id), "sleep 987") })
}

// pty is a davit at a terminal.
type pty struct {
	s      *site
	cmd    *exec.Cmd
	master *os.File
	mu     sync.Mutex
	screen bytes.Buffer
	read   sync.WaitGroup
}

// openPTY makes a terminal.
func openPTY(t testing.TB) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	unlock := int32(0)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, master.Fd(), unix.TIOCSPTLCK, uintptr(unsafe.Pointer(&unlock))); errno != 0 || err != nil {
		t.Fatal(err, errno)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// atTerminal starts davit at a terminal of its own.
func (s *site) atTerminal(args ...string) *pty {
	s.t.Helper()
	master, slave := openPTY(s.t)
	defer slave.Close()
	p := &pty{s: s, cmd: s.command(args...), master: master}
	p.size(24, 80)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = slave, slave, slave
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	p.read.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			p.mu.Lock()
			p.screen.Write(buf[:n])
			p.mu.Unlock()
			if err != nil { // davit has ended
				return
			}
		}
	})
	return p
}

func (p *pty) size(rows, columns uint16) {
	p.s.t.Helper()
	if err := unix.IoctlSetWinsize(int(p.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
		p.s.t.Fatal(err)
	}
}

func (p *pty) press(keys string) {
	p.s.t.Helper()
	if _, err := p.master.WriteString(keys); err != nil {
		p.s.t.Fatal(err)
	}
}

func (p *pty) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen.String()
}

// see waits until a text is on the screen.
func (p *pty) see(text string) {
	p.s.t.Helper()
	if !wait.Holds(func() bool { return strings.Contains(p.text(), text) }) {
		p.s.t.Fatalf("%q did not come; the screen is %q", text, p.text())
	}
}

// raw waits until keys are passed on as they come, and none is the terminal's own.
func (p *pty) raw() {
	p.s.t.Helper()
	p.s.waitFor("the terminal is raw", func() bool {
		t, err := unix.IoctlGetTermios(int(p.master.Fd()), unix.TCGETS)
		return err == nil && t.Lflag&unix.ICANON == 0
	})
}

// end waits for davit's end, and returns its code.
func (p *pty) end() int {
	p.s.t.Helper()
	late := time.AfterFunc(2*time.Minute, func() {
		p.s.t.Errorf("%v goes on; the screen is %q", p.cmd.Args[1:], p.text())
		_ = p.cmd.Process.Kill()
	})
	defer late.Stop()
	_ = p.cmd.Wait()
	p.read.Wait()
	_ = p.master.Close()
	return p.cmd.ProcessState.ExitCode()
}

// TestExecAtATerminal works in a shell.
func TestExecAtATerminal(t *testing.T) {
	s := execSite(t)
	id := s.sleeper()
	p := s.atTerminal("exec", "-it", id, "sh", "-c", "stty size; exec sh")
	p.see("24 80")
	p.press("echo $((40+2)) $TERM\n")
	p.see("42 xterm")
	p.size(30, 100)
	s.waitFor("the size arrives", func() bool {
		p.press("stty size\n")
		time.Sleep(100 * time.Millisecond)
		return strings.Contains(p.text(), "30 100")
	})
	s.kill()
	s.start()
	p.press("echo $((50+5))\n")
	p.see("55")
	p.press("exit 9\n")
	if code := p.end(); code != 9 {
		t.Errorf("got code %d: %q", code, p.text())
	}
	// Detached, the command runs on.
	p = s.atTerminal("exec", "-it", id, "sleep", "765")
	s.waitFor("it runs", func() bool { return strings.Contains(s.must("top", id), "sleep 765") })
	p.raw()
	p.press("\x10\x11")
	if code := p.end(); code != 0 || !strings.Contains(p.text(), "detached") {
		t.Errorf("got code %d: %q", code, p.text())
	}
	if !strings.Contains(s.must("top", id), "sleep 765") {
		t.Error("it has ended")
	}
	if r := s.run("exec", "-it", id, "true"); r.code != 125 || !strings.Contains(r.stderr, "-t needs a terminal") {
		t.Errorf("-t without a terminal: got %+v", r)
	}
}

// TestRunAtATerminal works in a container's shell, detaches, attaches, and starts it again.
func TestRunAtATerminal(t *testing.T) {
	s := execSite(t)
	p := s.atTerminal("run", "-it", "--name", "shell", "--rootfs", rootfs, "sh", "-c", "stty size; exec sh")
	p.see("24 80")
	p.press("echo $((40+2))\n")
	p.see("42")
	p.press("\x10\x11")
	if code := p.end(); code != 0 || !strings.Contains(p.text(), "davit attach") {
		t.Errorf("got code %d: %q", code, p.text())
	}
	s.kill()
	s.start()
	p = s.atTerminal("attach", "shell")
	s.waitFor("the shell answers", func() bool {
		p.press("echo $((50+5))\n")
		time.Sleep(100 * time.Millisecond)
		return strings.Contains(p.text(), "55")
	})
	p.press("exit 4\n")
	if code := p.end(); code != 4 {
		t.Errorf("got code %d: %q", code, p.text())
	}
	p = s.atTerminal("start", "-ai", "shell")
	p.press("echo $((60+6)); exit 5\n")
	p.see("66")
	if code := p.end(); code != 5 {
		t.Errorf("got code %d: %q", code, p.text())
	}
	if logs := s.must("logs", "shell"); !strings.Contains(logs, "42") || !strings.Contains(logs, "66") {
		t.Errorf("the logs are %q", logs)
	}
}

// TestRunWithInput passes an input to a container, or none.
func TestRunWithInput(t *testing.T) {
	s := execSite(t)
	in := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	if r := s.withInput(bytes.NewReader(in), "run", "-i", "--rm", "--rootfs", rootfs, "cat"); r.code != 0 || r.stdout != string(in) {
		t.Errorf("got %d bytes of %d, code %d, %s", len(r.stdout), len(in), r.code, r.stderr)
	}
	if r := s.withInput(strings.NewReader("dropped"), "run", "--rm", "--rootfs", rootfs, "cat"); r.code != 0 || r.stdout != "" || r.stderr != "" {
		t.Errorf("without -i: got %+v", r)
	}
	if r := s.withInput(strings.NewReader(""), "run", "-it", "--rm", "--rootfs", rootfs, "cat"); r.code != 125 || !strings.Contains(r.stderr, "-t needs a terminal") {
		t.Errorf("-t without a terminal: got %+v", r)
	}
	s.must("create", "-i", "--name", "later", "--rootfs", rootfs, "sh", "-c", "cat; exit 3")
	if r := s.withInput(strings.NewReader("kept"), "start", "-ai", "later"); r.code != 3 || r.stdout != "kept" {
		t.Errorf("start -ai: got %+v", r)
	}
}
