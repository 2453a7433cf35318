package monitor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// InlineFunc is what a Job can run in the monitor's own process: half the start of
// a workload, and half its memory, is saved. files are stdin, stdout and stderr.
// It calls started before the workload begins; an error of it or before it means
// that nothing ran. Else the result is the workload's exit code.
type InlineFunc func(input []byte, files []*os.File, started func() error) (code int, err error)

// Inline runs fn and exits, if this process was started for a Job whose Inline is
// name. It is called in the initialization of the package that has fn, so that
// this comes before packages are initialized that only the executor needs.
func Inline(name string, fn InlineFunc) {
	if os.Getenv(envRole) != roleInline+name {
		return
	}
	code := 0
	if err := runInline(fn); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	syscall.Exit(code) // and let nobody else have a say
}

// runInline is the life of a monitor that is its own workload. That has no other
// processes and writes to its files itself, so nothing is left when it has ended.
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
		tell(report{Started: now})
		return nil
	})
	if err != nil {
		if begun {
			return err
		}
		tell(report{Code: executor.CodeOf(err), Message: err.Error()})
		return nil
	}
	exit := &executor.Exit{Code: &code, At: time.Now(), Source: executor.Recovered}
	if err := persist(exitFile, exit); err != nil {
		return fmt.Errorf("record exit: %w", err)
	}
	if os.Getppid() != parent {
		// Nobody is there who would take the record on.
		sync(".", exitFile)
	}
	return nil
}

// inline gives this process what a job asks for, and calls fn.
func inline(job Job, fn InlineFunc, started func() error) (int, error) {
	files, err := new(workload).openFiles(job)
	if err != nil {
		return 0, err
	}
	for _, l := range job.Rlimits {
		limit := unix.Rlimit{Cur: l.Soft, Max: l.Hard}
		if err := unix.Prlimit(0, l.Resource, &limit, nil); err != nil {
			return 0, limitError(l, err)
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
	return fn(job.Input, files, func() error {
		if err := started(); err != nil {
			return err
		}
		unix.Umask(umask)
		return nil
	})
}

// signalInline does what a signal does by default to a process that has made no
// arrangement for it.
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
		return send(f, unix.SIGSTOP)
	case unix.SIGCONT:
		return send(f, unix.SIGCONT)
	}
	// The record comes first: the process is not to be asked, and cannot tell.
	if err := write(dir, signalFile, sig); err != nil {
		return err
	}
	return send(f, unix.SIGKILL)
}

// inlineExit gives the exit of a workload that has ended without recording it.
func inlineExit(dir string, p process) *executor.Exit {
	// It may be on its last instructions.
	if pidfd, err := p.open(); err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_ = await(ctx, pidfd)
		cancel()
		_ = pidfd.Close()
	}
	if sig, ok, err := read[executor.Signal](dir, signalFile); err == nil && ok {
		return killedBy(sig)
	}
	// Its parent, if that is this process, records what it has seen and then reaps
	// it. So one of the two tells.
	if s, err := statOf(p.PID); err == nil && s.start == p.Start && s.exit.Signaled() {
		return killedBy(s.exit.Signal())
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

// witness records how a child has ended that could not do so itself.
func witness(dir string) {
	f, err := look(dir)
	if err == nil && f.inline && f.Phase == Ended && f.Exit.Source != executor.Lost {
		if _, ok, err := read[*executor.Exit](dir, exitFile); err == nil && !ok {
			_ = write(dir, exitFile, f.Exit)
		}
	}
}
