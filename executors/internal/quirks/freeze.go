package quirks

import "time"

// FreezeFor is how long a freeze is tried that fails while the container runs, and
// FreezePause the time in between.
//
// Versions: runc 1.1.5 with cgroups of version 1, on a machine under load.
// Source: the freezer of runc's cgroups package writes FROZEN for a quarter of a second
// and then gives up ("unable to freeze"). A process that waits for a processor cannot be
// frozen until it gets one, and was seen to wait so long when a shell had just forked it.
// Can go: with cgroups of version 1.
const (
	FreezeFor   = 10 * time.Second
	FreezePause = 100 * time.Millisecond
)
