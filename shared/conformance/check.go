package conformance

import (
	"path"
	"slices"

	"github.com/davit-run/davit/shared/executor"
)

// Check is one duty of an executor and its proof.
type Check struct {
	// Name is what reports and Target.Skip call it.
	Name string
	// Duty is what an executor must do, in one sentence.
	Duty string
	// Hint is where an author should look first when the check fails.
	Hint string
	// Capability is what the executor must declare for the duty to be its own, or
	// empty if every executor has it.
	Capability executor.Capability
	// wireOnly marks a duty that lies with the plugin kit, or on what executors
	// may rely on the kit for.
	wireOnly bool
	run      func(*trial)
}

// Checks gives all checks in the order in which they run.
func Checks() []Check {
	return slices.Concat(
		openChecks(),
		createChecks(),
		attemptChecks(),
		exitChecks(),
		outputChecks(),
		restoreChecks(),
		restartChecks(),
		listChecks(),
		signalChecks(),
		deleteChecks(),
		concurrentChecks(),
		upgradeChecks(),
		kitChecks(),
	)
}

// checks gives the checks that are to be made: the first in any case, since the
// others rest on it, and what one of Target.Only matches.
func (t Target) checks() []Check {
	return slices.DeleteFunc(Checks(), func(c Check) bool {
		return len(t.Only) > 0 && c.Name != openCheck && !slices.ContainsFunc(t.Only, c.matches)
	})
}

func (c Check) matches(pattern string) bool {
	matched, err := path.Match(pattern, c.Name)
	return matched && err == nil
}
