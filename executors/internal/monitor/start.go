package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// self is this program, also after its file was replaced.
const self = "/proc/self/exe"

// report is a monitor's answer to the caller of Start.
type report struct {
	Started started
	// Code and Message are set if the workload was not started.
	Code    executor.Code
	Message string
}

// Start starts a job in dir, a directory of its own without one. When it returns without
// an error, the workload runs. On an error nothing runs, and the caller removes dir.
// If ctx ends before the workload has begun, it never begins. After that it runs, and
// Start returns without an error. Jobs of a program that cannot be executed are
// [executor.CommandNotFound] or [executor.CommandNotExecutable].
func Start(ctx context.Context, dir string, job Job) (Status, error) {
	if err := ctx.Err(); err != nil {
		return Status{}, err
	}
	if err := job.join(); err != nil {
		return Status{}, err
	}
	if err := write(dir, jobFile, kept{
		Boot: bootID(), Cgroup: job.Cgroup, Note: job.Note, Inline: job.Inline != "",
		Rooted: job.rooted(), Contained: job.Contain != nil, NetNS: job.NetNS != "", Seccomp: job.Seccomp,
	}); err != nil {
		return Status{}, err
	}
	for _, file := range []string{exitFile, goneFile} { // a full disk must not keep it from its end
		if err := linux.Reserve(path.Join(dir, file)); err != nil {
			return Status{}, err
		}
	}
	r, err := launch(ctx, dir, job)
	if err == nil && r.Message != "" {
		err = executor.Errorf(r.Code, "%s", r.Message)
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		kerr := Kill(context.WithoutCancel(ctx), dir)
		return Status{}, errors.Join(err, kerr)
	}
	return Status{Phase: Running, Note: job.Note, PID: r.Started.Workload.PID, StartedAt: r.Started.At}, nil
}

// launch runs a monitor until it has reported.
func launch(ctx context.Context, dir string, job Job) (report, error) {
	input, err := json.Marshal(job)
	if err != nil {
		return report{}, err
	}
	lock, err := os.Open(dir)
	if err != nil {
		return report{}, err
	}
	defer lock.Close() // the monitor has it too
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return report{}, fmt.Errorf("lock %s: %w", dir, err)
	}
	log, err := os.OpenFile(path.Join(dir, logFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return report{}, err
	}
	defer log.Close()
	jobRead, jobWrite, err := os.Pipe()
	if err != nil {
		return report{}, err
	}
	defer jobRead.Close()
	defer jobWrite.Close()
	reportRead, reportWrite, err := os.Pipe()
	if err != nil {
		return report{}, err
	}
	defer reportRead.Close()
	defer reportWrite.Close()

	monitor, ended, err := spawn(dir, job, jobRead, reportWrite, log, lock)
	if err != nil {
		return report{}, fmt.Errorf("start monitor: %w", err)
	}
	_ = jobRead.Close()
	_ = reportWrite.Close()
	// If the monitor is killed, the pipes end, and so do the calls below. A monitor
	// whose workload has begun answers in a moment.
	stop := context.AfterFunc(ctx, func() {
		if claim(dir) == nil {
			_ = monitor.Signal(unix.SIGKILL)
		}
	})
	defer stop()

	_, werr := jobWrite.Write(input)
	_ = jobWrite.Close()
	answer, rerr := linux.ReadAll(reportRead, maxFile)
	var r report
	if err := json.Unmarshal(answer, &r); err != nil {
		how := "it has not ended"
		select {
		case how = <-ended:
		case <-time.After(time.Second):
		}
		return r, fmt.Errorf("the monitor died (%s): %w: %s", how, errors.Join(werr, rerr, err), tail(log.Name()))
	}
	return r, nil
}

// spawn starts the process of a monitor, and returns its pidfd, which is open until
// the process has ended, and how it ends. The monitor is our child for as long as we live,
// and only has to be reaped.
func spawn(dir string, job Job, files ...*os.File) (_ *linux.Process, ended <-chan string, err error) {
	env := environ(roleMonitor, "GOMAXPROCS=1") // it has almost nothing to do
	if job.Inline != "" {
		env = environ(roleInline + job.Inline)
	}
	pidfd := -1
	attr := &syscall.ProcAttr{
		Dir: dir,
		Env: env,
		Sys: &syscall.SysProcAttr{Setsid: true, PidFD: &pidfd},
	}
	for _, f := range files {
		attr.Files = append(attr.Files, f.Fd())
	}
	pid, _, err := syscall.StartProcess(self, []string{"davit-monitor", job.Name}, attr)
	if err != nil {
		return nil, nil, err
	}
	monitor := linux.NewProcess(pid, pidfd)
	how := make(chan string, 1)
	go func() {
		defer monitor.Close()
		if monitor.Wait(context.Background()) == nil {
			recordExit(dir, pid)
			how <- reap(pid)
		}
	}()
	return monitor, how, nil
}

// reap collects the status of a child that has ended, and returns it in words.
func reap(pid int) string {
	for {
		var status unix.WaitStatus
		_, err := unix.Wait4(pid, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err.Error()
		case status.Signaled():
			return "signal: " + status.Signal().String()
		default:
			return fmt.Sprintf("exit status %d", status.ExitStatus())
		}
	}
}

func tail(path string) string {
	f, err := linux.Open(path, os.O_RDONLY)
	if err != nil {
		return ""
	}
	defer f.Close()
	b := make([]byte, 2000)
	n, _ := f.ReadAt(b, 0)
	return strings.TrimSpace(string(b[:n]))
}
