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
	// A signal to all processes of the machine must not end the monitor before its
	// workload.
	signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM)
	// When memory runs out, the kernel should not choose the monitor.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("-999"), 0)
	if w.joins != nil {
		go w.joins.endWith()
	}
	exit, err := w.await()
	if err != nil {
		return err
	}
	exit.OOM = w.cgroup.oomKilled()
	if err := writeRetrying(exitFile, exit); err != nil {
		return fmt.Errorf("record exit: %w", err)
	}
	var rest error
	if w.joins != nil {
		rest = linger()
	} else {
		rest = endRest(w.cgroup)
	}
	complete := w.drain()
	if err := errors.Join(rest, w.cgroup.remove()); err != nil {
		return err
	}
	if err := writeRetrying(goneFile, gone{Truncated: !complete}); err != nil {
		return err
	}
	// Those who wait may go on. The rest is for the case that the power fails.
	_ = unix.Close(lockFD)
	flush(".", exitFile)
	return nil
}

// writeRetrying writes a file, and tries again while the disk is full or read-only.
func writeRetrying(file string, v any) error {
	for {
		err := write(".", file, v)
		if !executor.DiskFault(err) {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// await waits for the end of the first process, and meanwhile reaps other children.
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
		// Only we reap our children, so their pids stay theirs. The processes of a
		// cgroup are killed all at once.
		killChildren()
		c.kill()
		time.Sleep(d)
	}
}
