package monitor

import (
	"slices"

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
	children := map[int][]int{}
	pids, _ := linux.PIDs()
	for _, pid := range pids {
		if s, err := linux.StatOf(pid); err == nil && s.State != 'Z' {
			children[s.Parent] = append(children[s.Parent], pid)
		}
	}
	found := slices.Clone(children[f.Monitor.PID])
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i]]...)
	}
	return found
}
