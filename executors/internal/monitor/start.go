package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// self is this program, also after its file was replaced.
const self = "/proc/self/exe"

// report is what a monitor tells whoever started it.
type report struct {
	Started started
	// Code and Message are set if the workload was not started.
	Code    executor.Code
	Message string
}

// Start starts a job in dir, an empty directory of its own. When it returns the
// workload runs, or on an error nothing does, and dir is the caller's to remove.
// When ctx ends before the workload has begun, it never does; after that it runs,
// and Start returns without an error.
// Jobs of a program that cannot be executed are [executor.CommandNotFound] or
// [executor.CommandNotExecutable].
func Start(ctx context.Context, dir string, job Job) (Status, error) {
	if err := write(dir, jobFile, kept{Boot: bootID(), Cgroup: job.Cgroup, Note: job.Note, Inline: job.Inline != ""}); err != nil {
		return Status{}, err
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

	monitor, err := spawn(dir, job, jobRead, reportWrite, log, lock)
	if err != nil {
		return report{}, fmt.Errorf("start monitor: %w", err)
	}
	_ = jobRead.Close()
	_ = reportWrite.Close()
	// A monitor that is killed ends the pipes, and so the calls below. One whose
	// workload has begun answers in a moment.
	stop := context.AfterFunc(ctx, func() {
		if claim(dir) == nil {
			_ = send(monitor, unix.SIGKILL)
		}
	})
	defer stop()

	_, werr := jobWrite.Write(input)
	_ = jobWrite.Close()
	answer, rerr := io.ReadAll(reportRead)
	var r report
	if err := json.Unmarshal(answer, &r); err != nil {
		return r, fmt.Errorf("the monitor died: %w: %s", errors.Join(werr, rerr, err), tail(log.Name()))
	}
	return r, nil
}

// spawn starts the process of a monitor, and gives a pidfd that is open until it
// has ended. The monitor is our child for as long as we live, and has to be
// reaped; there is nothing else to wait for.
func spawn(dir string, job Job, files ...*os.File) (*os.File, error) {
	env := []string{envRole + "=" + roleMonitor, "GOMAXPROCS=1"} // it has next to nothing to do
	if job.Inline != "" {
		env = []string{envRole + "=" + roleInline + job.Inline}
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
		return nil, err
	}
	_ = syscall.SetNonblock(pidfd, true)
	f := os.NewFile(uintptr(pidfd), "pidfd")
	go func() {
		defer f.Close()
		if await(context.Background(), f) == nil {
			witness(dir)
			reap(pid)
		}
	}()
	return f, nil
}

// reap takes the status of a child that has ended.
func reap(pid int) {
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

func tail(path string) string {
	b, _ := os.ReadFile(path)
	return strings.TrimSpace(string(b[:min(len(b), 2000)]))
}
