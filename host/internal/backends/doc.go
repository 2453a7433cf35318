// Package backends manages the configured backends of a host. It is the one door
// through which the host calls them.
//
// [Call] and [On] do what every call needs, whatever its method. They wait for a
// session and bound the call. They refuse what the backend does not offer, and the error
// names a backend that does. They repeat a call that changes nothing, and replace an
// executor that sends malformed replies, or is stuck and serves nobody else. A new method
// needs nothing here.
//
// # Rationale
//
// Why is an executor not replaced at once that has not answered a call? It answers
// others, or its supervisor would have found that it hangs. To kill it would cut off the
// calls of others for the sake of one container. But nobody can work on this container
// through it any more, and the next executor can: workloads outlive executors. So it is
// replaced in a moment in which no other call is under way. A call that is slow is no
// reason: only one that was not answered long after its time was over, although it was
// cancelled.
//
// Why are malformed replies counted? A single one may have a passing cause. If the next
// process answers no better, the caller gets the error.
package backends
