package memory

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// pollInterval is how often "await" looks for its file.
const pollInterval = 5 * time.Millisecond

// arity is the number of arguments of each step.
var arity = map[string]int{
	"print": 2, "count": 2, "sleep": 1, "await": 1, "mark": 2, "ignore": 1,
	"trap": 2, "exit": 1, "die": 1, "oom": 0, "exec": 1,
}

type step struct {
	verb string
	args []string
	n    int           // count, exit, die, ignore, trap: the number
	code int           // trap: the exit code
	wait time.Duration // sleep
}

type program []step

// argsOf gives process.args of an OCI spec once they are known to be a program.
// Errors are those of Create.
func argsOf(spec json.RawMessage) ([]string, error) {
	var s struct {
		Process *struct {
			Args []string `json:"args"`
		} `json:"process"`
	}
	if err := json.Unmarshal(spec, &s); err != nil {
		return nil, executor.Errorf(executor.Invalid, "spec: %w", err)
	}
	if s.Process == nil || len(s.Process.Args) == 0 {
		return nil, executor.Errorf(executor.Invalid, "spec: process.args is empty")
	}
	_, err := parse(s.Process.Args)
	return s.Process.Args, err
}

func parse(args []string) (program, error) {
	var p program
	for len(args) > 0 {
		n := 0
		for n < len(args) && args[n] != ";" {
			n++
		}
		if n == 0 {
			return nil, executor.Errorf(executor.Invalid, "empty step before %q", args)
		}
		s, err := parseStep(args[0], args[1:n])
		if err != nil {
			return nil, err
		}
		p = append(p, s)
		args = args[min(n+1, len(args)):]
	}
	if p[0].verb == "exec" && len(p) > 1 {
		return nil, executor.Errorf(executor.Invalid, "exec must be the only step")
	}
	return p, nil
}

func parseStep(verb string, args []string) (step, error) {
	s := step{verb: verb, args: args}
	want, known := arity[verb]
	if !known {
		return s, executor.Errorf(executor.CommandNotFound, "%s: no such command", verb)
	}
	if len(args) != want {
		return s, executor.Errorf(executor.Invalid, "%s takes %d arguments, got %d", verb, want, len(args))
	}
	var err error
	switch verb {
	case "print", "count":
		if args[0] != "stdout" && args[0] != "stderr" {
			return s, executor.Errorf(executor.Invalid, "%s: stream %q is neither stdout nor stderr", verb, args[0])
		}
		if verb == "count" {
			s.n, err = number(args[1], 0, 1<<40)
		}
	case "sleep":
		if s.wait, err = time.ParseDuration(args[0]); err != nil {
			var seconds int
			seconds, err = number(args[0], 0, 1<<30)
			s.wait = time.Duration(seconds) * time.Second
		}
	case "exit":
		s.n, err = number(args[0], 0, 255)
	case "die", "ignore":
		s.n, err = number(args[0], 1, 64)
	case "trap":
		var codeErr error
		s.n, err = number(args[0], 1, 64)
		s.code, codeErr = number(args[1], 0, 255)
		err = errors.Join(err, codeErr)
	case "exec":
		err = executable(args[0])
	}
	if err != nil {
		return s, executor.Errorf(codeOr(err, executor.Invalid), "%s: %w", verb, err)
	}
	return s, nil
}

func number(text string, low, high int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, executor.Errorf(executor.Invalid, "%q is not a number from %d to %d", text, low, high)
	}
	return n, nil
}

// executable reports what an operating system would say to running path.
func executable(path string) error {
	if !filepath.IsAbs(path) {
		return executor.Errorf(executor.CommandNotFound, "%s: not found in PATH", path)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return executor.Errorf(executor.CommandNotFound, "%w", err)
	case err != nil:
		return executor.Errorf(executor.CommandNotExecutable, "%w", err)
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return executor.Errorf(executor.CommandNotExecutable, "%s is not executable", path)
	}
	return nil
}

func codeOr(err error, other executor.Code) executor.Code {
	if code := executor.CodeOf(err); code != executor.Internal {
		return code
	}
	return other
}

// interpreter runs one program.
type interpreter struct {
	stdout, stderr io.Writer
	signals        <-chan executor.Signal
	actions        map[executor.Signal]func() *executor.Exit // what "ignore" and "trap" set
}

// run gives the end of the program. At and Source are the caller's to fill in.
func (in *interpreter) run(p program) executor.Exit {
	in.actions = map[executor.Signal]func() *executor.Exit{}
	for _, s := range p {
		if end := in.pending(); end != nil {
			return *end
		}
		if end := in.step(s); end != nil {
			return *end
		}
	}
	return *exited(0)
}

func exited(code int) *executor.Exit {
	oom := false
	return &executor.Exit{Code: &code, OOM: &oom}
}

func killed(sig executor.Signal) *executor.Exit {
	end := exited(128 + int(sig))
	end.Signal = sig
	return end
}

// step gives an exit if the program ends in s.
func (in *interpreter) step(s step) *executor.Exit {
	switch s.verb {
	case "print":
		return in.write(s.args[0], func(w io.Writer) { _, _ = io.WriteString(w, s.args[1]+"\n") })
	case "count":
		return in.write(s.args[0], func(w io.Writer) {
			for i := 1; i <= s.n; i++ {
				_, _ = w.Write(strconv.AppendInt(nil, int64(i), 10))
				_, _ = w.Write([]byte{'\n'})
			}
		})
	case "sleep":
		return in.until(time.After(s.wait), nil)
	case "await":
		return in.until(nil, func() bool { _, err := os.Stat(s.args[0]); return err == nil })
	case "mark":
		if err := appendLine(s.args[0], s.args[1]); err != nil {
			return in.write("stderr", func(w io.Writer) { _, _ = io.WriteString(w, err.Error()+"\n") })
		}
	case "ignore":
		in.actions[executor.Signal(s.n)] = func() *executor.Exit { return nil }
	case "trap":
		in.actions[executor.Signal(s.n)] = func() *executor.Exit { return exited(s.code) }
	case "exit":
		return exited(s.n)
	case "die":
		return killed(executor.Signal(s.n))
	case "oom":
		end, oom := killed(syscall.SIGKILL), true
		end.OOM = &oom
		return end
	}
	return nil
}

// write gives fn a buffered stream. Output that cannot be written ends the
// program as SIGPIPE would.
func (in *interpreter) write(stream string, fn func(io.Writer)) *executor.Exit {
	to := in.stdout
	if stream == "stderr" {
		to = in.stderr
	}
	w := bufio.NewWriterSize(to, 32<<10)
	fn(w)
	if w.Flush() != nil {
		return killed(syscall.SIGPIPE)
	}
	return nil
}

// until waits for a signal that ends the program, for timer, or for condition.
func (in *interpreter) until(timer <-chan time.Time, condition func() bool) *executor.Exit {
	for condition == nil || !condition() {
		var poll <-chan time.Time
		if condition != nil {
			poll = time.After(pollInterval)
		}
		select {
		case sig := <-in.signals:
			if end := in.received(sig); end != nil {
				return end
			}
		case <-timer:
			return nil
		case <-poll:
		}
	}
	return nil
}

// pending handles the signals that arrived during the last step.
func (in *interpreter) pending() *executor.Exit {
	for {
		select {
		case sig := <-in.signals:
			if end := in.received(sig); end != nil {
				return end
			}
		default:
			return nil
		}
	}
}

// received gives an exit if sig ends the program.
func (in *interpreter) received(sig executor.Signal) *executor.Exit {
	if action := in.actions[sig]; action != nil && sig != syscall.SIGKILL {
		return action()
	}
	switch sig {
	case syscall.SIGCHLD, syscall.SIGCONT, syscall.SIGURG, syscall.SIGWINCH,
		syscall.SIGSTOP, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU:
		return nil
	}
	return killed(sig)
}

func appendLine(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text + "\n")
	return errors.Join(err, f.Close())
}
