package monitor

import (
	"github.com/davit-run/davit/executors/internal/usage"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// Stats measures what a workload uses. The error is [executor.FailedPrecondition] if it
// has ended, or does not run yet.
func Stats(dir string) (executor.Stats, error) {
	f, err := look(dir)
	if err != nil {
		return executor.Stats{}, err
	}
	if f.Phase != Running {
		return executor.Stats{}, errNotRunning()
	}
	var cgroups []string
	for _, c := range f.cgroup.Dirs {
		cgroups = append(cgroups, c.Path)
	}
	return usage.Of(cgroups, f.processes), nil
}

// processes returns the processes of a workload. All but its first are found as what
// descends from its monitor, which is their subreaper.
func (f finding) processes() []int {
	if f.inline {
		return []int{f.Workload.PID}
	}
	var pids []int
	for _, p := range linux.Descendants(f.Monitor.PID) {
		if p.State != 'Z' {
			pids = append(pids, p.PID)
		}
	}
	return pids
}
