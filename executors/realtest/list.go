package realtest

import (
	"slices"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// ListEnded lists what a backend has once an attempt has ended in the list, or after
// 10 s as it is then: a shim may need a moment to learn of the end. List watches
// nothing, so that asking does not make the exit an observed one.
func ListEnded(t testing.TB, b executor.Backend, ref executor.Ref) (list []executor.Status, err error) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		list, err = b.List(t.Context())
		if slices.ContainsFunc(list, func(s executor.Status) bool { return s.Ref == ref && s.State.Ended() }) {
			break
		}
	}
	return list, err
}
