package monitor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// Stdio are the streams of an InlineFunc. It does not get the files of its output, which
// it could truncate.
type Stdio struct {
	In       *os.File
	Out, Err io.Writer
}

// InlineFunc is a function that a Job can run in the monitor's own process, which saves
// half the start of a workload, and half its memory. The function calls started before
// the workload begins. An error of started, or before it, means that nothing ran.
// Otherwise the result is the workload's exit code.
type InlineFunc func(input []byte, stdio Stdio, started func() error) (code int, err error)

// Inline runs fn and exits, if this process was started for a Job whose Inline is
// name. It is called in the initialization of the package that has fn, so that it
// runs before packages are initialized that only the executor needs.
func Inline(name string, fn InlineFunc) {
	if os.Getenv(envRole) != roleInline+name {
		return
	}
	code := 0
	if err := runInline(fn); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	syscall.Exit(code) // without exit handlers
}

// runInline is the life of a monitor that is its own workload. Such a workload has no
// other processes and writes to its files itself, so nothing is left when it has
// ended.
func runInline(fn InlineFunc) error {
	unix.CloseOnExec(lockFD)
	parent := os.Getppid()
	input, err := io.ReadAll(os.NewFile(jobFD, "job"))
	if err != nil {
		return err
	}
	var job Job
	if err := json.Unmarshal(input, &job); err != nil {
		return fmt.Errorf("read job: %w", err) // its sender was killed
	}
	self, err := identify(os.Getpid())
	if err != nil {
		return err
	}
	if err := write(".", loadingFile, self); err != nil {
		return err
	}
	begun := false
	code, err := inline(job, fn, func() error {
		now := started{At: time.Now(), Monitor: self, Workload: self}
		if err := begin(now); err != nil {
			return err
		}
		begun = true
		sendReport(report{Started: now})
		return nil
	})
	if err != nil {
		if begun {
			return err
		}
		sendReport(report{Code: executor.CodeOf(err), Message: err.Error()})
		return nil
	}
	exit := &executor.Exit{Code: &code, At: time.Now(), Source: executor.Recovered}
	if err := writeRetrying(exitFile, exit); err != nil {
		return fmt.Errorf("record exit: %w", err)
	}
	if os.Getppid() != parent {
		// Nobody else is left to sync the record.
		flush(".", exitFile)
	}
	return nil
}

// inline applies to this process what a job asks for, and calls fn.
func inline(job Job, fn InlineFunc, started func() error) (int, error) {
	stdio, end, err := openInline(job)
	if err != nil {
		return 0, err
	}
	defer end()
	for _, l := range job.Rlimits {
		limit := unix.Rlimit{Cur: l.Soft, Max: l.Hard}
		if err := unix.Prlimit(0, l.Resource, &limit, nil); err != nil {
			return 0, limitError(l, err)
		}
	}
	// All threads have the nice value with which this process was started.
	threads, _ := os.ReadDir("/proc/self/task")
	for _, t := range threads {
		if tid, err := strconv.Atoi(t.Name()); err == nil {
			_ = unix.Setpriority(unix.PRIO_PROCESS, tid, 0)
		}
	}
	if job.OOMScoreAdj != nil {
		if err := setOOMScore(os.Getpid(), *job.OOMScoreAdj); err != nil {
			return 0, err
		}
	}
	umask := 0o022
	if job.Umask != nil {
		umask = int(*job.Umask)
	}
	return fn(job.Input, stdio, func() error {
		if err := started(); err != nil {
			return err
		}
		unix.Umask(umask)
		return nil
	})
}

// openInline opens the streams of a job that runs inline.
func openInline(job Job) (s Stdio, end func(), err error) {
	if s.In, err = openInput(job); err != nil {
		return s, nil, err
	}
	out, err := openOutput(job, 0)
	if err != nil {
		return s, nil, err
	}
	errs := out
	if job.Stderr.Path != job.Stdout.Path {
		if errs, err = openOutput(job, 1); err != nil {
			return s, nil, err
		}
	}
	s.Out, s.Err = out, errs
	return s, func() { out.Close(); errs.Close() }, nil
}

// signalInline does what a signal does by default to a process without a handler for
// it.
func signalInline(dir string, p process, sig executor.Signal) error {
	f, err := p.open()
	if err != nil {
		return err
	}
	defer f.Close()
	switch sig {
	case unix.SIGCHLD, unix.SIGURG, unix.SIGWINCH:
		return nil
	case unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
		return f.Signal(unix.SIGSTOP)
	case unix.SIGCONT:
		return f.Signal(unix.SIGCONT)
	}
	// The record comes first, since the process cannot write it.
	if err := write(dir, signalFile, sig); err != nil {
		return err
	}
	return f.Signal(unix.SIGKILL)
}

// inlineExit returns the exit of a workload that has ended without recording it.
func inlineExit(dir string, p process) *executor.Exit {
	// It may be about to end.
	if pidfd, err := p.open(); err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_ = pidfd.Wait(ctx)
		cancel()
		_ = pidfd.Close()
	}
	if sig, ok, err := read[executor.Signal](dir, signalFile); err == nil && ok {
		return killedBy(sig)
	}
	// If this process is its parent, it first records the exit and then reaps the
	// child. So either the zombie or the record shows the exit.
	if s, err := linux.StatOf(p.PID); err == nil && s.Start == p.Start && s.Exit.Signaled() {
		return killedBy(s.Exit.Signal())
	}
	if exit, ok, err := read[*executor.Exit](dir, exitFile); err == nil && ok {
		return exit
	}
	reason := "the process that ran the workload has died"
	if text := tail(path.Join(dir, logFile)); text != "" {
		first, _, _ := strings.Cut(text, "\n")
		reason += ": " + first
	}
	return executor.LostExit(reason)
}

func killedBy(sig executor.Signal) *executor.Exit {
	code := 128 + int(sig)
	return &executor.Exit{Code: &code, Signal: sig, At: time.Now(), Source: executor.Recovered}
}

// recordExit records the exit of a child that could not do so itself, and has not been
// reaped: its pid is its own.
func recordExit(dir string, pid int) {
	dir, release, err := hold(dir)
	if err != nil {
		return
	}
	defer release()
	f, err := look(dir)
	if err == nil && f.inline && f.Workload.PID == pid && f.Phase == Ended && f.Exit.Source != executor.Lost {
		if _, ok, err := read[*executor.Exit](dir, exitFile); err == nil && !ok {
			_ = write(dir, exitFile, f.Exit)
		}
	}
}
