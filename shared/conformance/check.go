package conformance

import "slices"

// Check is one duty of an executor and its proof.
type Check struct {
	// Name is what reports and Target.Skip call it.
	Name string
	// Duty is what an executor must do, in one sentence.
	Duty string
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
		upgradeChecks(),
		kitChecks(),
	)
}
