package containerd

import (
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

const killSignal = syscall.SIGKILL

// exitOf makes an exit of what a shim reported. A shim tells a death by signal n
// and an exit with code 128+n alike, so the signal is left out unless the cause
// is known: here, the kernel's kill when memory ran out.
func exitOf(code uint32, at time.Time, source executor.Provenance, oom oomSource) *executor.Exit {
	c := int(code & 0xff)
	e := &executor.Exit{Code: &c, At: at, Source: source, OOM: oom.killed()}
	if e.OOM != nil && *e.OOM && executor.SignalFromCode(c) == syscall.SIGKILL {
		e.Signal = syscall.SIGKILL
	}
	return e
}
