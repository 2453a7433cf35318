package conformance

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/davit-run/davit/shared/executor"
)

// Program is what a workload of the suite does, step by step. It ends with code
// 0 after its last step.
type Program []Step

// Step is one thing that a workload does. Only the fields that its Action names
// are set. Files are names within the scratch directory of the workload.
type Step struct {
	Action Action
	Stream string          // "stdout" or "stderr"
	Text   string          // of letters, digits and spaces
	File   string          // of letters
	N      int             // a number of lines, or an exit code
	Signal executor.Signal // a signal
}

// Action is what a Step does.
type Action string

const (
	// Print writes Text and a newline to Stream.
	Print Action = "print"
	// Count writes the numbers from 1 to N to Stream, each on a line.
	Count Action = "count"
	// Mark appends Text and a newline to File, and creates File if need be.
	Mark Action = "mark"
	// Await waits until File exists.
	Await Action = "await"
	// Ignore makes the workload ignore Signal.
	Ignore Action = "ignore"
	// Trap makes the workload exit with code N when Signal arrives.
	Trap Action = "trap"
	// Exit ends the workload with code N.
	Exit Action = "exit"
	// Copy copies stdin to Stream until its end.
	Copy Action = "copy"
	// Size writes the rows and columns of the terminal that is stdin to Stream.
	Size Action = "size"
	// Hostname writes the host name to Stream.
	Hostname Action = "hostname"
	// PID writes the workload's pid, as the workload sees it, to Stream.
	PID Action = "pid"
	// Exec runs File in place of the program. It is the only step, and File
	// either does not exist or is not executable.
	Exec Action = "exec"
)

// Args returns the command line that runs p with a POSIX shell, seq, sleep, cat and stty. The
// workload sees the scratch directory at dir. Executors that run commands build the
// specs of their [Target] with Args.
func (p Program) Args(dir string) []string {
	if len(p) == 1 && p[0].Action == Exec {
		return []string{path.Join(dir, p[0].File)}
	}
	var script strings.Builder
	for _, s := range p {
		script.WriteString(s.shell(dir) + "\n")
	}
	return []string{"/bin/sh", "-c", script.String()}
}

// Words returns p as the arguments of a program made of package workload, or as a
// program of the memory executor. The workload sees the scratch directory at dir.
func (p Program) Words(dir string) []string {
	var words []string
	for i, s := range p {
		if i > 0 {
			words = append(words, ";")
		}
		words = append(words, s.words(dir)...)
	}
	return words
}

func (s Step) words(dir string) []string {
	file, n, sig := path.Join(dir, s.File), strconv.Itoa(s.N), strconv.Itoa(int(s.Signal))
	verb := string(s.Action)
	switch s.Action {
	case Print:
		return []string{verb, s.Stream, s.Text}
	case Count:
		return []string{verb, s.Stream, n}
	case Copy, Size, Hostname, PID:
		return []string{verb, s.Stream}
	case Mark:
		return []string{verb, file, s.Text}
	case Await, Exec:
		return []string{verb, file}
	case Ignore:
		return []string{verb, sig}
	case Trap:
		return []string{verb, sig, n}
	}
	return []string{verb, n} // Exit
}

// command returns the command line that does p with program, the first words of a
// command line of package workload, or with a shell if there is none.
func (p Program) command(program []string, dir string) []string {
	if len(program) == 0 || len(p) == 1 && p[0].Action == Exec {
		return p.Args(dir)
	}
	return slices.Concat(program, p.Words(dir))
}

func (s Step) shell(dir string) string {
	file := "'" + path.Join(dir, s.File) + "'"
	to := ""
	if s.Stream == "stderr" {
		to = " >&2"
	}
	switch s.Action {
	case Print:
		return fmt.Sprintf("echo '%s'%s", s.Text, to)
	case Count:
		return fmt.Sprintf("seq 1 %d%s", s.N, to)
	case Copy:
		return "cat" + to
	case Size:
		return "stty size" + to
	case PID:
		return "echo $$" + to
	case Hostname:
		return "cat /proc/sys/kernel/hostname" + to
	case Mark:
		return fmt.Sprintf("echo '%s' >> %s", s.Text, file)
	case Await:
		return fmt.Sprintf("while [ ! -e %s ]; do sleep 0.05; done", file)
	case Ignore:
		return fmt.Sprintf("trap '' %d", s.Signal)
	case Trap:
		return fmt.Sprintf("trap 'exit %d' %d", s.N, s.Signal)
	case Exit:
		return fmt.Sprintf("exit %d", s.N)
	}
	return "exit 125 # unknown action"
}
