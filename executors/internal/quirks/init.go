package quirks

import "regexp"

// To start a container, `runc start` opens a FIFO that the container's init writes to
// before it runs the workload. If the caller of a start goes away just then, because
// containerd or we are killed, shims kill `runc start` between the two: init fails,
// prints why to the workload's stderr, and exits with code 1. That looks like a
// workload that failed, but is one that never ran.
//
// Versions: runc 1.1.5 and 1.5.2, below all shims of runc.
// Source: Init in runc's libcontainer/standard_init_linux.go, which returns an
// os.PathError of the operation "write exec fifo".
// Can go: when the status of an init that never became the workload differs from that
// of a workload, or when shims let `runc start` finish.
//
// A workload that prints nothing but this message and exits with code 1 within ten
// seconds of its start is taken for one that never ran, if the executor or containerd
// was replaced meanwhile. It is then started again.
var initCutOff = regexp.MustCompile(`^write exec fifo \S+: broken pipe\n$`)

// InitCutOff reports whether all that was written to a workload's stderr is the
// message of an init whose start was cut off.
func InitCutOff(text []byte) bool { return initCutOff.Match(text) }
