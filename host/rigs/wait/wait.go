// Package wait is how tests wait for what they get no event of: files, processes,
// and states that can only be asked for. Where there is an event, a channel is
// better.
package wait

import (
	"testing"
	"time"
)

// Patience is how long a test waits before it fails. A test that passes never waits
// for so long: the number is for a machine that is busy with other things.
const Patience = 2 * time.Minute

// interval is the pause between two looks.
const interval = 2 * time.Millisecond

// Until returns once ok returns true. The test fails if it never does, with a message
// that ends in what, as in "the container has ended".
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	if !Holds(ok) {
		t.Fatalf("waited %s in vain until %s", Patience, what)
	}
}

// Holds reports whether ok returned true in time. It is for those who have more to
// say than [Until] when it did not, and for clean-ups, which must not end the test.
func Holds(ok func() bool) bool {
	for deadline := time.Now().Add(Patience); !ok(); time.Sleep(interval) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}
