package monitor

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"runtime"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// envRole is the environment variable with the role of a process of this program.
const (
	envRole     = "DAVIT_MONITOR"
	roleMonitor = "monitor"
	roleInline  = "inline:"
)

// init runs a monitor: before main, and before the packages are initialized that only
// the executor needs. See the package's rationale.
func init() { //nolint:gochecknoinits // for that reason
	switch os.Getenv(envRole) {
	case roleStage:
		runStage()
	case roleMonitor:
	default:
		return
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// environ returns the environment of a process of this program that has a role. Of the
// executor's own it has what is for the Go runtime of each program, and changes nothing of
// what that does.
func environ(role string, more ...string) []string {
	env := append([]string{envRole + "=" + role}, more...)
	for _, name := range []string{"GORACE", "GOTRACEBACK"} {
		if value, is := os.LookupEnv(name); is {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// Descriptors of a monitor. Its stderr is the log.
const (
	jobFD    = 0
	reportFD = 1
	lockFD   = 3
)

// run is a monitor's life. Its working directory is the workload's directory.
func run() error {
	// The workload inherits settings of this thread, and its life is bound to the
	// thread's.
	runtime.LockOSThread()
	if err := unix.CloseRange(lockFD, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("keep descriptors: %w", err)
	}
	// The workload must not begin with signals ignored that the executor ignores. A
	// handler here resets them there.
	for _, sig := range []os.Signal{unix.SIGHUP, unix.SIGINT} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
	unix.Umask(0o077)

	input, err := io.ReadAll(os.NewFile(jobFD, "job"))
	if err != nil {
		return err
	}
	var job Job
	if err := json.Unmarshal(input, &job); err != nil {
		return fmt.Errorf("read job: %w", err) // its sender was killed
	}
	w, err := startWorkload(job)
	if err != nil {
		sendReport(report{Code: executor.CodeOf(err), Message: err.Error()})
		return nil
	}
	sendReport(report{Started: w.started})
	return w.follow()
}

// sendReport answers the caller of Start, who may be gone.
func sendReport(r report) {
	b, err := json.Marshal(r)
	if err == nil {
		_, _ = unix.Write(reportFD, b)
	}
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		_ = unix.Close(reportFD)
		return
	}
	_ = unix.Dup3(null, reportFD, 0)
	_ = unix.Close(null)
}
