package leftovers

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// settlePoll is the time between two looks at what is left.
const settlePoll = 100 * time.Millisecond

// process begins the line of a process.
const process = "process "

// Look is how to look for what a command leaves.
type Look struct {
	// Report is what a list of it is written to.
	Report io.Writer
	// Settle is how long it may take to go.
	Settle time.Duration
	// Most bounds the list.
	Most int
	// Cgroups is the cgroup below which davit's are, and Places are the patterns of
	// files that davit's containers have where others have some, too.
	Cgroups string
	Places  []string
}

// Run runs a command, with its output on this process's, and reports what is left of it.
// It returns the status to end with. A process can do that only once.
func (l Look) Run(command ...string) (status int, err error) {
	if len(command) == 0 {
		return 2, errors.New("usage: davit-leftovers COMMAND [ARG...]")
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return 1, fmt.Errorf("become the parent of orphans: %w", err)
	}
	temp, err := tempDir()
	if err != nil {
		return 1, err
	}
	before := l.survey(temp)
	status, err = run(temp, command)
	if err != nil {
		return 1, errors.Join(err, os.Remove(temp))
	}
	left := l.settled(temp, before)
	killAll()
	if len(left) == 0 {
		return status, os.Remove(temp)
	}
	fmt.Fprintf(l.Report, "\n%d things are left behind:\n", len(left))
	for _, what := range left[:min(len(left), l.Most)] {
		fmt.Fprintln(l.Report, "  "+what)
	}
	if n := len(left) - l.Most; n > 0 {
		fmt.Fprintf(l.Report, "  and %d more\n", n)
	}
	return max(status, 1), nil
}

// tempDir makes a directory for temporary files. Its name is short, since sockets are
// below, and all may use it, as some executors have users of their own.
func tempDir() (string, error) {
	temp := filepath.Join(os.TempDir(), "r"+strconv.FormatInt(int64(os.Getpid()), 36))
	if err := os.Mkdir(temp, 0o700); err != nil {
		return "", err
	}
	return temp, os.Chmod(temp, 0o777|os.ModeSticky)
}

// run runs the command with a directory for temporary files.
func run(temp string, command []string) (status int, err error) {
	// A Ctrl-C is for the command. Then we look at what it leaves.
	signal.Notify(make(chan os.Signal, 1), unix.SIGINT, unix.SIGQUIT)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	reap := time.NewTicker(time.Second)
	defer reap.Stop()
	for {
		select {
		case err = <-ended:
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				return max(exit.ExitCode(), 1), nil
			}
			return 0, err
		case <-reap.C:
			descendants(cmd.Process.Pid) // orphans of the command
		}
	}
}

// settled returns what is left once nothing more goes, sorted.
func (l Look) settled(temp string, before map[string]bool) []string {
	// What comes while we look is another's.
	left := l.remains(temp, before)
	for end := time.Now().Add(l.Settle); len(left) > 0 && time.Now().Before(end); time.Sleep(settlePoll) {
		now := l.remains(temp, before)
		maps.DeleteFunc(left, func(what string, _ bool) bool { return !now[what] })
	}
	var list []string
	for what := range left {
		if pid, ok := strings.CutPrefix(what, process); ok {
			n, _ := strconv.Atoi(pid)
			what += " " + describe(n)
		}
		list = append(list, what)
	}
	slices.Sort(list)
	return list
}

// remains returns what is there now and was not before, processes included.
func (l Look) remains(temp string, before map[string]bool) map[string]bool {
	now := l.survey(temp)
	maps.DeleteFunc(now, func(what string, _ bool) bool { return before[what] })
	for _, pid := range descendants(0) {
		if describe(pid) != "" {
			now[process+strconv.Itoa(pid)] = true // its command may change
		}
	}
	return now
}
