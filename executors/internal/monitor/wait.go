package monitor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// Wait waits until nothing of a workload is left, and returns how it ended. If its
// monitor was killed, Wait kills what is left, and records the end as lost. Phase is
// Ended or NeverRan. An error means that ctx ended or that something cannot be
// killed.
//
// Waiting costs a descriptor for each of the two, and no thread. Start and Kill must not
// be called meanwhile.
func Wait(ctx context.Context, dir string) (Status, error) {
	ended := false
	for d := 100 * time.Microsecond; ; d = min(2*d, 20*time.Millisecond) {
		f, err := look(dir)
		if err != nil {
			return f.Status, err
		}
		if !f.live {
			return finish(ctx, dir, f.Status)
		}
		if !ended && f.Workload.PID != 0 {
			// A monitor that was killed takes its workload with it, but not one that
			// somebody has frozen.
			if err := awaitEither(ctx, f.Workload, f.Monitor); err != nil {
				return f.Status, err
			}
			ended = true
		}
		// The monitor has not started it yet, or is about to kill the rest.
		if !pause(ctx, d) {
			return f.Status, ctx.Err()
		}
	}
}

// finish makes the end of a workload final when its monitor has ended.
func finish(ctx context.Context, dir string, st Status) (Status, error) {
	var err error
	if st.Complete, err = killLeftovers(ctx, dir); err != nil {
		return st, err
	}
	if st.Exit != nil && st.Exit.Source == executor.Lost {
		if err := write(dir, exitFile, st.Exit); err != nil {
			return st, err
		}
		flush(dir, exitFile)
	}
	return st, nil
}

// Signal sends a signal to the first process of a workload. The error is
// [executor.FailedPrecondition] if that has ended, or does not run yet.
func Signal(dir string, sig executor.Signal) error {
	return withRunning(dir, func(dir string, f finding) (err error) {
		if f.inline {
			err = signalInline(dir, f.Workload, sig)
		} else {
			err = f.Workload.signal(sig)
		}
		if errors.Is(err, unix.ESRCH) {
			return errNotRunning()
		}
		if err == nil && sig == unix.SIGKILL && f.cgroup.Freezer != "" {
			_ = f.cgroup.thaw() // in version 1 frozen processes do not even die
		}
		return err
	})
}

func errNotRunning() error {
	return executor.Errorf(executor.FailedPrecondition, "the workload does not run")
}

// Kill kills a workload and its monitor, in any state, and waits until nothing runs
// any more. The files stay. It is no error if there is no job.
func Kill(ctx context.Context, dir string) error {
	for d := 50 * time.Microsecond; ; d = min(2*d, 20*time.Millisecond) {
		live, err := locked(dir)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if !live {
			break
		}
		// Without a record the monitor is about to write one, and nothing runs yet.
		if start, ok, err := read[started](dir, startedFile); err == nil && ok {
			_ = start.Monitor.signal(unix.SIGKILL)
		} else if self, ok, err := read[process](dir, loadingFile); err == nil && ok {
			_ = self.signal(unix.SIGKILL)
		}
		if !pause(ctx, d) {
			return fmt.Errorf("the monitor of %s does not end: %w", dir, ctx.Err())
		}
	}
	_, err := killLeftovers(ctx, dir)
	return err
}

// Remove removes the directory of a workload of which nothing runs. What is left if
// it is cut off is not taken for a workload.
func Remove(dir string) error {
	if err := os.Remove(path.Join(dir, jobFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	err := os.RemoveAll(dir)
	if errors.Is(err, unix.ENOTEMPTY) {
		// recordExit may have been writing in the directory, which it does once.
		err = os.RemoveAll(dir)
	}
	return err
}
