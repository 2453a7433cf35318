package conformance

import (
	"context"
	"strings"
	"time"
)

// TestingT is what [Test] needs of a *testing.T, whose own type is T. The package
// does not import testing, so that programs can include the suite: `davit
// conformance` is one.
type TestingT[T any] interface {
	Helper()
	Context() context.Context
	Run(name string, f func(T)) bool
	Skip(args ...any)
	Error(args ...any)
	Fatal(args ...any)
}

// testPatience is longer than what a user waits for an answer of `davit conformance`: tests
// also run on machines that are busy with others. Only a check that fails waits for so long.
const testPatience = 2 * time.Minute

// Test runs the checks in all modes of target, each as a subtest, and Target.Parallel
// of them at once. Target.Patience is two minutes by default. It is what the author of an
// executor calls:
//
//	func TestConformance(t *testing.T) {
//		e := mine.Executor()
//		conformance.Test(t, conformance.Target{Executor: &e, Spec: conformance.OCI(rootfs)})
//	}
func Test[T TestingT[T]](t T, target Target) {
	t.Helper()
	if err := target.validate(); err != nil {
		t.Fatal(err)
	}
	if target.Patience == 0 {
		target.Patience = testPatience
	}
	for _, mode := range target.Modes() {
		t.Run(string(mode), func(t T) { testMode(t, target, mode) })
	}
}

func testMode[T TestingT[T]](t T, target Target, mode Mode) {
	blocked := "" // set by the checks that run alone
	each(target.checks(mode), target.withDefaults().Parallel, func(_ int, check Check) {
		t.Run(check.Name, func(t T) {
			if blocked != "" {
				t.Skip(blocked)
			}
			r := check.try(t.Context(), target, mode)
			switch r.Outcome {
			case Skipped:
				t.Skip(strings.Join(r.Reasons, "; "))
			case Failed:
				if check.first {
					blocked = r.blocks
				}
				t.Error("\n" + r.Text(0))
			}
		})
	})
}
