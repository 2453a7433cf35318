package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// exec prepares a further process of w. It sees the same scratch directory.
func (w *workload) exec(s *subject, steps ...Step) *workload {
	w.t.ids++
	return w.execAs(s, fmt.Sprintf("x%d", w.t.ids), steps...)
}

// execAs is exec with an id.
func (w *workload) execAs(s *subject, id string, steps ...Step) *workload {
	ref := w.Ref
	ref.Exec = id
	x := w.t.prepareWorkload(s, ref, w.scratch, steps)
	var spec struct {
		Process json.RawMessage `json:"process"`
	}
	w.t.must(json.Unmarshal(x.Spec, &spec), "reading a spec")
	x.Spec, x.Runtime = spec.Process, executor.Runtime{}
	return x
}

// terminal gives w a terminal of a size.
func (w *workload) terminal(size executor.TerminalSize) {
	var spec map[string]any
	w.t.must(json.Unmarshal(w.Spec, &spec), "reading a spec")
	process := spec
	if w.Ref.Exec == "" {
		process, _ = spec["process"].(map[string]any)
	}
	if process == nil {
		w.t.skipf("the spec has no process")
	}
	process["terminal"], process["consoleSize"] = true, size
	var err error
	w.Spec, err = json.Marshal(spec)
	w.t.must(err, "making a spec")
	w.Stdio.Terminal, w.Stdio.Stderr = true, executor.Stream{}
}

// fifo makes a FIFO beside the output of w.
func (w *workload) fifo(name string) executor.Stream {
	path := filepath.Join(filepath.Dir(w.stdout), name)
	w.t.must(syscall.Mkfifo(path, 0o600), "making a FIFO")
	return executor.Stream{Kind: executor.StreamFIFO, Path: path}
}

// toFIFO makes stdout a FIFO. The reader, who is there from before the start, is held up
// until read is called.
func (w *workload) toFIFO() (read func(pause time.Duration) []byte) {
	w.Stdio.Stdout = w.fifo("out.fifo")
	// Without a writer the end would come at once.
	keep, err := os.OpenFile(w.Stdio.Stdout.Path, os.O_RDWR, 0)
	w.t.must(err, "opening a FIFO")
	from, err := os.OpenFile(w.Stdio.Stdout.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	w.t.must(err, "opening a FIFO")
	return func(pause time.Duration) []byte { return w.readAll(keep, from, pause) }
}

// readAll reads a FIFO to its end, slowly if there is a pause. keep is a writer of ours.
func (w *workload) readAll(keep, from *os.File, pause time.Duration) []byte {
	defer from.Close()
	_ = keep.Close()
	_ = from.SetReadDeadline(time.Now().Add(w.t.target.Patience))
	var all []byte
	for buf := make([]byte, 64<<10); ; time.Sleep(pause) {
		n, err := from.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				w.t.errorf("reading the output of %s after %d bytes: %v", w.Ref, len(all), err)
			}
			return all
		}
	}
}

// drain reads what is in the FIFO of stdout, as a reader who comes late.
func (w *workload) drain() []byte {
	keep, err := os.OpenFile(w.Stdio.Stdout.Path, os.O_RDWR, 0) // so that it has a writer
	w.t.must(err, "opening a FIFO")
	from, err := os.OpenFile(w.Stdio.Stdout.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	w.t.must(err, "opening a FIFO")
	return w.readAll(keep, from, 0)
}

// withInput gives w a FIFO for stdin. write opens it, writes and closes it.
func (w *workload) withInput() (write func(text string)) {
	w.Stdio.Stdin = w.fifo("in.fifo")
	return func(text string) {
		w.t.eventually(func() bool {
			f, err := os.OpenFile(w.Stdio.Stdin.Path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
			if err != nil {
				return false // nobody reads yet
			}
			defer f.Close()
			_, err = f.WriteString(text)
			w.t.must(err, "writing to the input of %s", w.Ref)
			return true
		}, "the opening of the input of %s", w.Ref)
	}
}

// wantCounted reports output that is not that of Count.
func (w *workload) wantCounted(got []byte, lines int) {
	path := filepath.Join(filepath.Dir(w.stdout), "got")
	w.t.must(os.WriteFile(path, got, 0o600), "writing a file")
	if err := wantCount(path, lines); err != nil {
		w.t.errorf("the output of %s: %v", w.Ref, err)
	}
}

// waits are steps that wait for a file of the name, and exit with a code.
func waits(name string, code int) []Step {
	return []Step{{Action: Mark, File: name + "ready", Text: "x"}, {Action: Await, File: name}, {Action: Exit, N: code}}
}

// starts counts the starts of processes in the scratch directory of w.
func (w *workload) starts() int { return len(w.lines(startsFile)) }

func (w *workload) wantStartsInAll(n int) {
	if got := w.starts(); got != n {
		w.t.errorf("in %s, %s processes were started, want %s", w.Ref, strconv.Itoa(got), strconv.Itoa(n))
	}
}
