package api

// The restart policies. They mean the same as Docker's: a container that a user has
// stopped stays stopped, except that the next host starts those again whose policy is
// always.
const (
	RestartNo            = "no"
	RestartOnFailure     = "on-failure"
	RestartAlways        = "always"
	RestartUnlessStopped = "unless-stopped"
)
