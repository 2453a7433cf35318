package api

// WaitCondition says what a wait is for.
type WaitCondition string

const (
	// WaitNotRunning is over when the present attempt has ended, which may be long ago.
	WaitNotRunning WaitCondition = "not-running"
	// WaitNextExit is over when an attempt ends from now on: the present one, or the next
	// one if nothing runs.
	WaitNextExit WaitCondition = "next-exit"
	// WaitRemoved is over when the container is removed.
	WaitRemoved WaitCondition = "removed"
	// WaitHealthy is over when the health check of the container has succeeded. There is no
	// end then.
	WaitHealthy WaitCondition = "healthy"
)

// WaitConditions returns all conditions.
func WaitConditions() []WaitCondition {
	return []WaitCondition{WaitNotRunning, WaitNextExit, WaitRemoved, WaitHealthy}
}
