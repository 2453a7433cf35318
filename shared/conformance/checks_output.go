package conformance

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(50, transport.MethodReleased.Name,
	Check{Name: "output-apart", run: checkOutputApart,
		Duty: "What a workload writes to stdout and stderr is in the two files when Released says that it is complete.",
		Hint: "Call Released only when everything that copies output has ended."},
	Check{Name: "output-merged", run: checkOutputMerged,
		Duty: "With one file for stdout and stderr every line of both is in it, untorn.",
		Hint: "Open one path once, and give the workload the same file for both streams; or copy whole lines."},
	Check{Name: "output-order", run: checkOutputOrder,
		Duty: "With one file for stdout and stderr the lines are in the order in which they were written.",
		Hint: "Give the workload one file for both streams. With a pipe for each the order cannot be kept: then skip this check."},
	Check{Name: "output-appended", run: checkOutputAppended,
		Duty: "Output is appended to its file; what the file had stays.",
		Hint: "Open output files with O_APPEND, and never with O_TRUNC."},
	Check{Name: "output-null", run: checkOutputNull,
		Duty: "A workload whose streams are null runs and ends like any other.",
		Hint: "A stream of no kind is /dev/null."},
	Check{Name: "output-big", run: checkOutputBig,
		Duty: "Big output of a workload that ends at once is complete, in order and without a gap.",
		Hint: "Wait for copiers to reach the end of their pipes before Released says that the output is complete."},
)

// atRelease runs w, and calls look while the host is notified of the release. By then
// the output has to be complete.
func (s *subject) atRelease(w *workload, look func()) {
	s.host.beforeReleased(func(ref executor.Ref) {
		if ref == w.Ref {
			look()
		}
	})
	s.create(w)
	if output := s.released(w); output != executor.Complete {
		s.t.errorf("Released says that the output is %q, want %q", output, executor.Complete)
	}
}

func (w *workload) wantOutput(path, stream, want string) {
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		w.t.errorf("%s at Released: got %q, %v; want %q", stream, got, err, want)
	}
}

func checkOutputApart(t *trial) {
	s := t.open()
	w := t.workload(s,
		Step{Action: Print, Stream: "stdout", Text: "out 1"},
		Step{Action: Print, Stream: "stderr", Text: "err 1"},
		Step{Action: Print, Stream: "stdout", Text: "out 2"},
		Step{Action: Exit, N: 3})
	s.atRelease(w, func() {
		w.wantOutput(w.stdout, "stdout", "out 1\nout 2\n")
		w.wantOutput(w.stderr, "stderr", "err 1\n")
	})
}

// alternating returns steps that write a line to each stream alternately, and the
// lines.
func alternating() (steps []Step, lines []string) {
	for i := range 10 {
		for _, stream := range []string{"stdout", "stderr"} {
			line := fmt.Sprintf("%s %d", stream, i)
			lines = append(lines, line)
			steps = append(steps, Step{Action: Print, Stream: stream, Text: line})
		}
	}
	return steps, lines
}

// merged prepares a workload that writes the lines of alternating to one file.
func (t *trial) merged(s *subject) (w *workload, lines []string) {
	steps, lines := alternating()
	w = t.workload(s, steps...)
	w.Stdio.Stderr = w.Stdio.Stdout
	return w, lines
}

func checkOutputMerged(t *trial) {
	s := t.open()
	w, want := t.merged(s)
	slices.Sort(want)
	s.atRelease(w, func() {
		text, _ := os.ReadFile(w.stdout)
		got := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.errorf("the lines of the merged file are, sorted, %q; want %q", got, want)
		}
	})
}

func checkOutputOrder(t *trial) {
	s := t.open()
	w, want := t.merged(s)
	s.atRelease(w, func() { w.wantOutput(w.stdout, "the merged file", strings.Join(want, "\n")+"\n") })
}

func checkOutputAppended(t *trial) {
	s := t.open()
	w := t.workload(s, Step{Action: Print, Stream: "stdout", Text: "after"})
	t.must(os.WriteFile(w.stdout, []byte("before\n"), 0o600), "writing to an output file")
	s.atRelease(w, func() { w.wantOutput(w.stdout, "stdout", "before\nafter\n") })
}

func checkOutputNull(t *trial) {
	s := t.open()
	w := t.workload(s,
		Step{Action: Print, Stream: "stdout", Text: "out"},
		Step{Action: Print, Stream: "stderr", Text: "err"},
		Step{Action: Exit, N: 3})
	w.Stdio = executor.Stdio{}
	s.create(w)
	s.wantExit(w, 3)
	s.released(w)
}

func checkOutputBig(t *trial) {
	s := t.open()
	lines := linesOf(t.target.OutputBytes)
	w := t.workload(s, Step{Action: Count, Stream: "stdout", N: lines})
	s.atRelease(w, func() {
		if err := wantCount(w.stdout, lines); err != nil {
			t.errorf("stdout at Released: %v", err)
		}
	})
}

// linesOf returns how many lines Count needs for about so many bytes.
func linesOf(bytes int) int {
	n := 0
	for digits, first := 1, 1; bytes > 0; digits, first = digits+1, first*10 {
		fits := min(9*first, bytes/(digits+1))
		n += fits
		bytes -= fits * (digits + 1)
		if fits < 9*first {
			break
		}
	}
	return max(1, n)
}

// wantCount reports where a file differs from the output of Count.
func wantCount(path string, lines int) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	scanner := bufio.NewScanner(f)
	var want []byte
	n := 0
	for ; scanner.Scan(); n++ {
		if want = strconv.AppendInt(want[:0], int64(n+1), 10); !bytes.Equal(scanner.Bytes(), want) {
			return fmt.Errorf("line %d is %.20q, want %q", n+1, scanner.Bytes(), want)
		}
	}
	if n != lines {
		return fmt.Errorf("got %d of %d lines", n, lines)
	}
	return scanner.Err()
}
