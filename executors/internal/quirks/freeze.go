package quirks

import "time"

// FreezeTries is how often a freeze is tried that fails while the container runs, and
// FreezePause the time in between.
//
// Versions: runc 1.1.5 with cgroups of version 1, seen on a machine under load.
// Source: the freezer of runc's cgroups package writes FROZEN a number of times within
// milliseconds and then gives up ("unable to freeze"). A process that waits for the child
// of its vfork, which cannot be frozen until that executes, is the likely reason.
// Can go: with cgroups of version 1.
const (
	FreezeTries = 5
	FreezePause = 50 * time.Millisecond
)
