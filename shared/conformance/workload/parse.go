package workload

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// Program is a list of steps.
type Program []step

type step struct {
	verb  string
	words []string
	n     int           // count, exit, die, ignore, trap: the number
	code  int           // trap: the exit code
	wait  time.Duration // sleep
}

// Errors of Parse that are not about how a program is written.
var (
	// ErrNotFound: the first word of a step, or the PATH of exec, is no command.
	ErrNotFound = errors.New("no such command")
	// ErrNotExecutable: the PATH of exec is there and cannot be executed.
	ErrNotExecutable = errors.New("not executable")
)

// operands are those of each verb: a stream, a number from low to high, a duration,
// or any text.
var operands = map[string][]operand{
	"print": {{kind: stream}, {}}, "count": {{kind: stream}, {kind: number, high: 1 << 40}},
	"sleep": {{kind: duration}}, "await": {{}}, "mark": {{}, {}},
	"ignore": {{kind: number, low: 1, high: 64}},
	"trap":   {{kind: number, low: 1, high: 64}, {kind: code, high: 255}},
	"exit":   {{kind: number, high: 255}}, "die": {{kind: number, low: 1, high: 64}},
	"oom": {}, "exec": {{kind: command}},
	"copy": {{kind: stream}}, "size": {{kind: stream}}, "hostname": {{kind: stream}}, "pid": {{kind: stream}},
}

type operand struct {
	kind      kind
	low, high int
}

type kind int

const (
	text kind = iota
	stream
	number
	code
	duration
	command
)

// Parse reads a program.
func Parse(args []string) (Program, error) {
	var p Program
	for len(args) > 0 {
		n := slices.Index(args, ";")
		if n < 0 {
			n = len(args)
		}
		s, err := parseStep(args[:n])
		if err != nil {
			return nil, fmt.Errorf("%q: %w", args[:n], err)
		}
		p = append(p, s)
		args = args[min(n+1, len(args)):]
	}
	if len(p) > 1 && p[0].verb == "exec" {
		return nil, errors.New("exec must be the only step")
	}
	return p, nil
}

func parseStep(words []string) (step, error) {
	if len(words) == 0 {
		return step{}, errors.New("empty step")
	}
	s := step{verb: words[0], words: words[1:]}
	want, known := operands[s.verb]
	if !known {
		return s, ErrNotFound
	}
	if len(want) != len(s.words) {
		return s, fmt.Errorf("%d operands, want %d", len(s.words), len(want))
	}
	for i, o := range want {
		if err := s.parse(o, s.words[i]); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *step) parse(o operand, word string) (err error) {
	switch o.kind {
	case text:
	case stream:
		if word != "stdout" && word != "stderr" {
			return fmt.Errorf("stream %q is neither stdout nor stderr", word)
		}
	case number:
		s.n, err = o.number(word)
	case code:
		s.code, err = o.number(word)
	case duration:
		if s.wait, err = time.ParseDuration(word); err != nil {
			var seconds int
			seconds, err = operand{high: 1 << 30}.number(word)
			s.wait = time.Duration(seconds) * time.Second
		}
	case command:
		return executable(word)
	}
	return err
}

func (o operand) number(word string) (int, error) {
	n, err := strconv.Atoi(word)
	if err != nil || n < o.low || n > o.high {
		return 0, fmt.Errorf("%q is not a number from %d to %d", word, o.low, o.high)
	}
	return n, nil
}

// executable reports what an operating system would say to running path.
func executable(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%w in PATH", ErrNotFound)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrNotExecutable, err)
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return ErrNotExecutable
	}
	return nil
}
