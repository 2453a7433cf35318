package linux

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sleeper starts a process that is killed at the end of the test.
func sleeper(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

func TestProcess(t *testing.T) {
	cmd := sleeper(t, "")
	p, err := OpenProcess(cmd.Process.Pid, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ended := make(chan error, 1)
	go func() { ended <- p.Wait(t.Context()) }()
	if err := p.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil { // as a zombie, since nobody has waited for it
		t.Errorf("Wait: %v", err)
	}
	if s, err := StatOf(p.PID); err != nil || s.State != 'Z' || s.Parent != os.Getpid() || s.Exit.Signal() != unix.SIGTERM {
		t.Errorf("stat of a zombie: got %+v, %v", s, err)
	}
	_ = cmd.Wait()
	if err := p.Signal(unix.SIGTERM); !errors.Is(err, unix.ESRCH) {
		t.Errorf("signal to a process that is gone: got %v", err)
	}
}

func TestOpenProcessErrors(t *testing.T) {
	wrong := errors.New("wrong")
	if _, err := OpenProcess(os.Getpid(), func() error { return wrong }); !errors.Is(err, wrong) {
		t.Errorf("got %v, want verify's", err)
	}
	for _, pid := range []int{0, -1, 1 << 22} { // the last is above all pids
		if _, err := OpenProcess(pid, nil); !errors.Is(err, unix.ESRCH) {
			t.Errorf("process %d: got %v, want ESRCH", pid, err)
		}
	}
}

func TestWaitEnds(t *testing.T) {
	for name, end := range map[string]func(p *Process, cancel func()){
		"with its context": func(_ *Process, cancel func()) { cancel() },
		"with Close":       func(p *Process, _ func()) { _ = p.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			p, err := OpenProcess(os.Getpid(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- p.Wait(ctx) }()
			time.Sleep(10 * time.Millisecond) // either order is right
			end(p, cancel)
			if err := <-ended; err == nil || ctx.Err() != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestFindProcesses(t *testing.T) {
	dir := t.TempDir()
	in := func(pid int) bool {
		s, err := StatOf(pid)
		return err == nil && s.Parent == os.Getpid()
	}
	want := map[int]bool{sleeper(t, dir).Process.Pid: true, sleeper(t, dir).Process.Pid: true}
	found, err := FindProcesses(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range found {
		if !want[p.PID] {
			t.Errorf("process %d is none of ours", p.PID)
		}
		delete(want, p.PID)
		_ = p.Close()
	}
	if len(want) > 0 {
		t.Errorf("not found: %v", want)
	}
	// A process that does not match at the second look is not returned.
	asked := map[int]int{}
	found, err = FindProcesses(func(pid int) bool { asked[pid]++; return asked[pid] == 1 })
	if err != nil || len(found) > 0 || asked[os.Getpid()] > 0 {
		t.Errorf("got %d processes that did not match, %v; asked %d times about this one", len(found), err, asked[os.Getpid()])
	}
}
