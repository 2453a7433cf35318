package oci

import (
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// ExitOf makes an exit of what a shim reported. A shim tells a death by signal n
// and an exit with code 128+n alike, so the signal is left out unless the cause
// is known: here, the kernel's kill when memory ran out.
func ExitOf(code uint32, at time.Time, source executor.Provenance, oom OOMSource) *executor.Exit {
	c := int(code & 0xff)
	e := &executor.Exit{Code: &c, At: at, Source: source, OOM: oom.Killed()}
	if e.OOM != nil && *e.OOM && executor.SignalFromCode(c) == syscall.SIGKILL {
		e.Signal = syscall.SIGKILL
	}
	return e
}

// DrainCap is the longest that a shim waits, when its task is deleted, for the
// output to drain. Whether it gave up it does not say; only the time tells.
type DrainCap time.Duration

const (
	DrainShort = DrainCap(2 * time.Second)  // shims up to containerd 1.6
	DrainLong  = DrainCap(10 * time.Second) // later ones
)

// DrainWait is how long a watcher waits to see the end of the output, before it
// lets the shim wait for it.
const DrainWait = time.Second

// Judge says what a deletion that took d means.
func (c DrainCap) Judge(d time.Duration) executor.Output {
	if d < time.Duration(c) {
		return executor.Complete
	}
	return executor.Truncated
}
