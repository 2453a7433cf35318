package containerd

import (
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
)

// attempt gives the attempt of an id that this process watches or has watched,
// or nil.
func (b *Backend) attempt(id string) *oci.Attempt {
	a, _ := b.attempts.Get(id)
	return a
}

// watch starts a watcher for an attempt that stands as st says. Nobody else may
// work on the id meanwhile.
func (b *Backend) watch(st executor.Status, oom oci.OOMSource, drain oci.DrainCap) {
	b.attempts.Watch(oci.NewAttempt(st, oom, drain), b.follow)
}
