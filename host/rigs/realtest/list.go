package realtest

import (
	"slices"
	"testing"

	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// ListEnded lists what a backend has once an attempt has ended in the list, or in the
// end as it is then: a shim may need a moment to learn of the end. List watches
// nothing, so that asking does not make the exit an observed one.
func ListEnded(t testing.TB, b executor.Backend, ref executor.Ref) (list []executor.Status, err error) {
	t.Helper()
	wait.Holds(func() bool {
		list, err = b.List(t.Context())
		return slices.ContainsFunc(list, func(s executor.Status) bool { return s.Ref == ref && s.State.Ended() })
	})
	return list, err
}
