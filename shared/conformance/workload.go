package conformance

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/davit-run/davit/shared/executor"
)

// workload is a workload of a trial, with the files by which the check and the
// workload communicate.
type workload struct {
	executor.Workload
	t       *trial
	scratch string
	stdout  string
	stderr  string
}

// startsFile has a line for each start of a workload, with the attempt's number.
const startsFile = "starts"

// workload prepares the first attempt of a new container.
func (t *trial) workload(s *subject, steps ...Step) *workload {
	t.ids++
	ref := executor.Ref{ID: fmt.Sprintf("cf-%s-%d", t.token, t.ids), Attempt: 1}
	scratch := t.subdir(ref.ID)
	t.must(os.Chmod(scratch, 0o777), "making a directory for all")
	return t.prepareWorkload(s, ref, scratch, steps)
}

// next prepares the next attempt of w. It sees the same scratch directory.
func (w *workload) next(s *subject, steps ...Step) *workload {
	ref := w.Ref
	ref.Attempt++
	return w.t.prepareWorkload(s, ref, w.scratch, steps)
}

func (t *trial) prepareWorkload(s *subject, ref executor.Ref, scratch string, steps []Step) *workload {
	program := Program(steps)
	if len(steps) != 1 || steps[0].Action != Exec {
		program = append(Program{{Action: Mark, File: startsFile, Text: strconv.Itoa(ref.Attempt)}}, steps...)
	}
	spec, err := t.target.Spec(program, scratch)
	if executor.CodeOf(err) == executor.Unsupported {
		t.skipf("%v", err)
	}
	t.must(err, "making a spec")
	w := &workload{t: t, scratch: scratch}
	w.Workload = executor.Workload{Ref: ref, Spec: spec, Runtime: s.runtime()}
	dir := t.subdir(fmt.Sprintf("%s-%d-output", ref.ID, ref.Attempt))
	w.stdout, w.stderr = filepath.Join(dir, "stdout"), filepath.Join(dir, "stderr")
	for _, path := range []string{w.stdout, w.stderr} {
		t.must(os.WriteFile(path, nil, 0o600), "making an output file")
	}
	w.Stdio = executor.Stdio{
		Stdout: executor.Stream{Kind: executor.StreamFile, Path: w.stdout},
		Stderr: executor.Stream{Kind: executor.StreamFile, Path: w.stderr},
	}
	return w
}

// runtime returns the runtime for a workload.
func (s *subject) runtime() executor.Runtime {
	if !s.has(executor.CapRuntimeResolve) {
		return executor.Runtime{Name: s.t.target.Runtime}
	}
	rt, err := s.resolve(s.t.target.Runtime)
	s.t.must(err, "resolving the runtime %q", s.t.target.Runtime)
	return rt
}

// touch creates a file that the workload awaits.
func (w *workload) touch(name string) {
	w.t.must(os.WriteFile(filepath.Join(w.scratch, name), nil, 0o666), "making a file")
}

// awaitFile waits for a file that the workload marks.
func (w *workload) awaitFile(name string) {
	w.t.eventually(func() bool { return w.lines(name) != nil }, "%q by the workload %s", "mark "+name, w.Ref)
}

// lines returns the lines of a file that the workload marks, nil if there is none.
func (w *workload) lines(name string) []string {
	text, err := os.ReadFile(filepath.Join(w.scratch, name))
	if err != nil || !bytes.HasSuffix(text, []byte("\n")) {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// wantStarts reports starts of w's container other than those of the attempts.
func (w *workload) wantStarts(attempts ...string) {
	if got := w.lines(startsFile); strings.Join(got, " ") != strings.Join(attempts, " ") {
		w.t.errorf("the starts of %s were of the attempts %v, want %v", w.Ref.ID, got, attempts)
	}
}

// read returns what the workload has written to one of its output files.
func (w *workload) read(path string) string {
	text, err := os.ReadFile(path)
	w.t.must(err, "reading an output file")
	return string(text)
}
