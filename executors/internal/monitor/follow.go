package monitor

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// follow waits for the end of the workload, records it, and ends what is left.
func (w *workload) follow() error {
	// What reaches everything on a machine is no reason to leave a workload alone.
	signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM)
	// Where memory runs out, the monitor should not be the one to go.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("-999"), 0)
	exit, err := w.await()
	if err != nil {
		return err
	}
	exit.OOM = w.cgroup.oomKilled()
	if err := persist(exitFile, exit); err != nil {
		return fmt.Errorf("record exit: %w", err)
	}
	rest := endRest(w.cgroup)
	w.console.drain()
	if err := errors.Join(rest, w.cgroup.remove()); err != nil {
		return err
	}
	if err := persist(goneFile, struct{}{}); err != nil {
		return err
	}
	// Whoever waits may go on. What is left to do is for the case that the power
	// fails.
	_ = unix.Close(lockFD)
	sync(".", exitFile)
	return nil
}

// persist writes a file, and does not give up while the disk is full.
func persist(file string, v any) error {
	for {
		err := write(".", file, v)
		if !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EDQUOT) {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// await waits for the end of the first process, and meanwhile reaps what it and
// others have left.
func (w *workload) await() (*executor.Exit, error) {
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, fmt.Errorf("wait for the workload: %w", err)
		case pid == w.Workload.PID && (ws.Exited() || ws.Signaled()):
			exit := &executor.Exit{At: time.Now(), Source: executor.Recovered}
			code := ws.ExitStatus()
			if ws.Signaled() {
				exit.Signal = ws.Signal()
				code = 128 + int(exit.Signal)
			}
			exit.Code = &code
			return exit, nil
		}
	}
}

// endRest kills all processes that descend from this one, and waits until there
// are none.
func endRest(c Cgroup) error {
	for d := time.Duration(0); ; d = min(2*d+100*time.Microsecond, 100*time.Millisecond) {
		for {
			pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
			if errors.Is(err, unix.ECHILD) {
				return nil
			}
			if err != nil && !errors.Is(err, unix.EINTR) {
				return err
			}
			if err == nil && pid == 0 {
				break
			}
		}
		if d == 0 {
			c.seal()
		}
		// Children are ours to reap, so their numbers stay theirs. What they leave
		// becomes our child; the processes of a cgroup go at once.
		for _, pid := range processes() {
			if s, err := statOf(pid); err == nil && s.parent == os.Getpid() {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
		c.kill()
		time.Sleep(d)
	}
}
