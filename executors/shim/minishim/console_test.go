package minishim_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
)

// withTerminal adds a terminal to a spec.
func withTerminal(spec map[string]any) {
	process := spec["process"].(map[string]any)
	process["terminal"] = true
	process["consoleSize"] = map[string]int{"height": 33, "width": 77}
	withPTS(spec)
}

func withPTS(spec map[string]any) {
	spec["mounts"] = append(spec["mounts"].([]any), map[string]any{
		"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": []string{"newinstance", "ptmxmode=0666"},
	})
}

func (r *rig) resize(exec string, width, height uint32) error {
	_, err := r.tasks.ResizePty(r.ctx, &taskapi.ResizePtyRequest{ID: r.id, ExecID: exec, Width: width, Height: height})
	return errgrpc.ToNative(err)
}

func (r *rig) closeIO(exec string) error {
	_, err := r.tasks.CloseIO(r.ctx, &taskapi.CloseIORequest{ID: r.id, ExecID: exec, Stdin: true})
	return errgrpc.ToNative(err)
}

func (r *rig) fifo(name string) string {
	path := filepath.Join(r.dir, name)
	r.must(syscall.Mkfifo(path, 0o600))
	return path
}

// write writes to a FIFO and closes it.
func (r *rig) write(fifo, text string) {
	r.t.Helper()
	r.must(os.WriteFile(fifo, []byte(text), 0))
}

const sizes = `trap 'busybox stty size' WINCH; busybox stty size; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo terminal; until read line; do :; done; echo "got $line"; exit 5`

func TestTerminal(t *testing.T) {
	r := newRig(t, sizes, withTerminal)
	stdin := r.fifo("in")
	r.must(os.WriteFile(filepath.Join(r.dir, "out"), []byte("before\n"), 0o600))
	r.must(r.create(func(req *taskapi.CreateTaskRequest) {
		req.Terminal, req.Stdin, req.Stderr = true, stdin, ""
	}))
	r.must(r.start(""))
	r.ready("out", "terminal")
	r.must(r.resize("", 100, 40))
	r.ready("out", "40 100")
	r.write(stdin, "hel")
	r.write(stdin, "lo\n") // another writer goes on
	if got := r.wait(""); got != 5 {
		t.Errorf("got %d", got)
	}
	r.must(r.delete(""))
	out := strings.ReplaceAll(r.read("out"), "\r\n", "\n")
	for _, want := range []string{"before\n33 77\nterminal\n", "40 100\n", "got hello\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("got %q, want %q in it", out, want)
		}
	}
	if left, _ := filepath.Glob(r.bundle + "/*.sock"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestTerminalOutput checks that all output arrives, even what was written just
// before the end.
func TestTerminalOutput(t *testing.T) {
	r := newRig(t, "seq 20000", withTerminal)
	r.must(r.create(func(req *taskapi.CreateTaskRequest) { req.Terminal, req.Stderr = true, "" }))
	r.must(r.start(""))
	r.wait("")
	r.must(r.delete(""))
	if lines := strings.Split(r.read("out"), "\r\n"); len(lines) != 20001 || lines[19999] != "20000" {
		t.Errorf("got %d lines", len(lines))
	}
}

// TestTerminalHangsUp checks that a terminal is hung up at the end of its stdin.
func TestTerminalHangsUp(t *testing.T) {
	r := newRig(t, "trap 'exit 8' HUP; echo ready; cat", withTerminal)
	stdin := r.fifo("in")
	r.must(r.create(func(req *taskapi.CreateTaskRequest) { req.Terminal, req.Stdin, req.Stderr = true, stdin, "" }))
	r.must(r.start(""))
	r.ready("out", "ready")
	r.must(r.closeIO(""))
	if got := r.wait(""); got != 8 {
		t.Errorf("got %d", got)
	}
	r.must(r.delete(""))
}

func TestExecTerminal(t *testing.T) {
	r := run(t, "echo ready; sleep 1000", withPTS)
	r.ready("out", "ready")
	wantCode(t, "resize without a terminal", r.resize("", 1, 1), errdefs.ErrFailedPrecondition)
	stdin := r.fifo("in")
	r.must(r.exec("e", sizes, func(req *taskapi.ExecProcessRequest) {
		req.Terminal, req.Stdin, req.Stderr = true, stdin, ""
	}))
	wantCode(t, "resize before the start", r.resize("e", 1, 1), errdefs.ErrFailedPrecondition)
	r.must(r.start("e"))
	r.ready("exec", "terminal")
	r.must(r.resize("e", 90, 30))
	r.ready("exec", "30 90")
	r.write(stdin, "hello\n")
	if got := r.wait("e"); got != 5 {
		t.Errorf("got %d", got)
	}
	r.must(r.delete("e"))
	out := r.read("exec")
	if !strings.Contains(out, "30 90") || !strings.Contains(out, "got hello") {
		t.Errorf("got %q", out)
	}
}

// TestCloseIO checks that stdin ends with CloseIO, and not when a writer closes its
// end.
func TestCloseIO(t *testing.T) {
	r := newRig(t, "cat; echo end", nil)
	stdin := r.fifo("in")
	r.must(r.create(func(req *taskapi.CreateTaskRequest) { req.Stdin = stdin }))
	r.must(r.start(""))
	r.must(r.exec("e", "cat; echo end", func(req *taskapi.ExecProcessRequest) { req.Stdin = r.fifo("exec-in") }))
	wantCode(t, "before the start", r.closeIO("e"), errdefs.ErrFailedPrecondition)
	r.must(r.start("e"))
	for _, s := range []struct{ exec, fifo, out string }{{"e", "exec-in", "exec"}, {"", "in", "out"}} {
		fifo := filepath.Join(r.dir, s.fifo)
		r.write(fifo, "one\n")
		r.ready(s.out, "one")
		r.write(fifo, "two\n")
		r.must(r.closeIO(s.exec))
		r.must(r.closeIO(s.exec))
		if got := r.wait(s.exec); got != 0 {
			t.Errorf("%q: got %d", s.exec, got)
		}
		r.ready(s.out, "one\ntwo\nend\n")
	}
}
