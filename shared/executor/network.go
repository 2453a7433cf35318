package executor

// AnnotationNetwork is an annotation of a spec. [NetworkAlone] as its value says that the user
// has asked for a network namespace of the workload's own with nothing but a loopback. Without
// it, a new one in a spec is only what every container has, and an executor of workloads that are
// no containers may pass over it. It may also pass over one that has a path with
// [NetworkUnasked]: the host has made it in the place of a new one.
const (
	AnnotationNetwork = "davit.run/network"
	NetworkAlone      = "none"
	NetworkUnasked    = "unasked"
)
