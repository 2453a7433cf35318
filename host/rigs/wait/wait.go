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

// The pause between two looks is as long as a look takes, within these bounds: one that runs
// a program would otherwise keep the machine from what is waited for.
const (
	shortest = 2 * time.Millisecond
	longest  = 100 * time.Millisecond
)

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
	for deadline := time.Now().Add(Patience); ; {
		began := time.Now()
		if ok() {
			return true
		}
		now := time.Now()
		if now.After(deadline) {
			return false
		}
		time.Sleep(min(max(shortest, now.Sub(began)), longest))
	}
}
