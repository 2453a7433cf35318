package oci

import (
	"syscall"
	"time"

	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/executor"
)

// ExitOf returns the exit that a shim reported. A shim reports a death by signal n
// and an exit with code 128+n alike, so the signal is left out unless the cause is
// known: here, the kernel's kill when memory ran out.
func ExitOf(code uint32, at time.Time, source executor.Provenance, oom OOMSource) *executor.Exit {
	c := int(code & 0xff)
	sigkill := executor.SignalFromCode(c) == syscall.SIGKILL
	e := &executor.Exit{Code: &c, At: at, Source: source, OOM: oom.Killed(sigkill)}
	if e.OOM != nil && *e.OOM && sigkill {
		e.Signal = syscall.SIGKILL
	}
	return e
}

// DrainCap is the longest that a shim waits, when its task is deleted, for the output
// to drain. The shim does not say whether it stopped waiting; only the time shows it.
type DrainCap time.Duration

const (
	DrainShort = DrainCap(2 * time.Second)  // shims up to containerd 1.6
	DrainLong  = DrainCap(10 * time.Second) // later ones
)

// DrainCapOf returns the cap of a shim by its version, which is "" if not known.
func DrainCapOf(version string) DrainCap {
	if v, ok := runtimes.ParseRelease(version); ok && !v.Before(runtimes.Release{Major: 1, Minor: 7}) {
		return DrainLong
	}
	return DrainShort
}

// DrainWait is how long a watcher waits to see the end of the output, before it
// lets the shim wait for it.
const DrainWait = time.Second

// Judge returns what a deletion that took d means for the output.
func (c DrainCap) Judge(d time.Duration) executor.Output {
	if d < time.Duration(c) {
		return executor.Complete
	}
	return executor.Truncated
}
