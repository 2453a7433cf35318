package workload

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// poll is how often the program looks for a file that it awaits.
const poll = 5 * time.Millisecond

// Machine is what a program runs on.
type Machine struct {
	// Stdin reads as empty if it is nil.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Size returns the size of the terminal, zero where there is none. Nil means that.
	Size func() (rows, columns int)
	// Ignore and Trap arrange for signals that reach the program by other ways than
	// Events. They are nil where there are none.
	Ignore func(sig int)
	Trap   func(sig, code int)
	// Events are signals by their number, Pause and Resume. A program has taken an
	// event when it was received, and while it is paused does nothing else. It takes none
	// before the steps at its beginning that ignore and trap signals. Nil where there are
	// none.
	Events <-chan int
}

// Events that are not signals.
const (
	Pause  = 65
	Resume = 66
)

// End is how a program has ended.
type End struct {
	Code int
	// Signal is set if the program was killed; then Code is 128+Signal.
	Signal int
	OOM    bool
}

func killed(sig int) *End { return &End{Code: 128 + sig, Signal: sig} }

// run is a program that runs.
type run struct {
	Machine
	actions map[int]*End // of signals that are ignored (nil) or trapped
}

// Run does the steps.
func (p Program) Run(m Machine) End {
	r := &run{Machine: m, actions: make(map[int]*End)}
	begun := false
	for _, s := range p {
		// No event comes before the program has arranged at its beginning for signals.
		begun = begun || s.verb != "ignore" && s.verb != "trap"
		if begun {
			if end := r.until(atOnce); end != nil {
				return *end
			}
		}
		end, err := r.step(s)
		if err != nil {
			fmt.Fprintf(r.Stderr, "%s %q: %v\n", s.verb, s.words, err)
			return End{Code: failed}
		}
		if end != nil {
			return *end
		}
	}
	return End{}
}

// step returns an end if the program ends in s.
func (r *run) step(s step) (end *End, err error) {
	switch s.verb {
	case "print":
		_, err = io.WriteString(r.stream(s), s.words[1]+"\n")
	case "count":
		return r.count(r.stream(s), s.n)
	case "copy":
		return r.copy(r.stream(s))
	case "size":
		rows, columns := 0, 0
		if r.Size != nil {
			rows, columns = r.Size()
		}
		_, err = fmt.Fprintf(r.stream(s), "%d %d\n", rows, columns)
	case "hostname":
		var name string
		if name, err = os.Hostname(); err == nil {
			_, err = io.WriteString(r.stream(s), name+"\n")
		}
	case "pid":
		pid := strconv.Itoa(os.Getpid())
		if runtime.GOOS == "wasip1" { // where there are no processes
			pid = ""
		}
		_, err = fmt.Fprintln(r.stream(s), pid)
	case "sleep":
		over := time.Now().Add(s.wait)
		return r.until(func() time.Duration { return time.Until(over) }), nil
	case "await":
		return r.until(func() time.Duration {
			if _, err := os.Stat(s.words[0]); err != nil {
				return poll
			}
			return 0
		}), nil
	case "mark":
		err = mark(s.words[0], s.words[1])
	case "ignore":
		r.actions[s.n] = nil
		if r.Ignore != nil {
			r.Ignore(s.n)
		}
	case "trap":
		r.actions[s.n] = &End{Code: s.code}
		if r.Trap != nil {
			r.Trap(s.n, s.code)
		}
	case "exit":
		return &End{Code: s.n}, nil
	case "die":
		return killed(s.n), nil
	case "oom":
		end := killed(int(syscall.SIGKILL))
		end.OOM = true
		return end, nil
	}
	return nil, err
}

func (r *run) stream(s step) io.Writer {
	if s.words[0] == "stderr" {
		return r.Stderr
	}
	return r.Stdout
}

// count writes the numbers to n, and handles events now and then.
func (r *run) count(w io.Writer, n int) (*End, error) {
	out := bufio.NewWriterSize(w, 32<<10)
	for i := 1; i <= n; i++ {
		_, _ = out.WriteString(strconv.Itoa(i) + "\n") // Flush has the error
		if i%1000 == 0 {
			if end := r.until(atOnce); end != nil {
				return end, out.Flush()
			}
		}
	}
	return nil, out.Flush()
}

// copy copies the input to w until its end, and handles events meanwhile.
func (r *run) copy(w io.Writer) (*End, error) {
	if r.Stdin == nil {
		return nil, nil
	}
	copied := make(chan error, 1)
	go func() { // ends with the input, or the program
		_, err := io.Copy(w, r.Stdin)
		copied <- err
	}()
	var err error
	end := r.until(func() time.Duration {
		select {
		case err = <-copied:
			return 0
		default:
			return poll
		}
	})
	return end, err
}

func mark(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text + "\n")
	return errors.Join(err, f.Close())
}

// atOnce is a condition that is true at once.
func atOnce() time.Duration { return 0 }

// until handles events until a condition is true, and returns an end if one of them
// ends the program. A condition that is not true returns how long to wait before the
// next test.
func (r *run) until(condition func() (again time.Duration)) *End {
	for {
		select {
		case event := <-r.Events:
			if end := r.handle(event); end != nil {
				return end
			}
			continue
		default:
		}
		again := condition()
		if again <= 0 {
			return nil
		}
		select {
		case event := <-r.Events:
			if end := r.handle(event); end != nil {
				return end
			}
		case <-time.After(again):
		}
	}
}

// handle returns an end if an event ends the program.
func (r *run) handle(event int) *End {
	if event != Pause {
		return r.signal(event)
	}
	var waiting []int
	for event != Resume {
		event = <-r.Events
		switch event {
		case int(syscall.SIGKILL):
			return killed(event)
		case Pause, Resume:
		default:
			waiting = append(waiting, event)
		}
	}
	for _, sig := range waiting {
		if end := r.signal(sig); end != nil {
			return end
		}
	}
	return nil
}

// harmless are the signals that by default end no program, with their numbers on
// Linux, since not every platform has names for them: SIGCHLD, SIGCONT, SIGSTOP,
// SIGTSTP, SIGTTIN, SIGTTOU, SIGURG and SIGWINCH.
var harmless = map[int]bool{17: true, 18: true, 19: true, 20: true, 21: true, 22: true, 23: true, 28: true}

// signal returns an end if a signal ends the program.
func (r *run) signal(sig int) *End {
	if end, arranged := r.actions[sig]; arranged && sig != int(syscall.SIGKILL) {
		return end
	}
	if harmless[sig] || sig == Resume {
		return nil
	}
	return killed(sig)
}
