package backend

import "github.com/davit-run/davit/executors/internal/monitor"

// SetLimits sets limits of the process and all that it has started.
func (p *Process) SetLimits(limits []monitor.Limit) error {
	return ended(monitor.SetLimits(p.dir(), limits))
}
