package conformance

import (
	"context"
	"strings"
)

// TestingT is what [Test] needs of a *testing.T, whose own type is T. The package
// does not import testing, so that programs may hold the suite: `davit
// conformance` is one.
type TestingT[T any] interface {
	Helper()
	Context() context.Context
	Run(name string, f func(T)) bool
	Skip(args ...any)
	Error(args ...any)
	Fatal(args ...any)
}

// Test makes the checks in all modes of target, each as a subtest. It is what
// the author of an executor calls:
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
	for _, mode := range target.Modes() {
		t.Run(string(mode), func(t T) { testMode(t, target, mode) })
	}
}

func testMode[T TestingT[T]](t T, target Target, mode Mode) {
	blocked := ""
	for _, check := range target.checks() {
		t.Run(check.Name, func(t T) {
			if blocked != "" {
				t.Skip(blocked)
			}
			r := check.try(t.Context(), target, mode)
			switch r.Outcome {
			case Skipped:
				t.Skip(strings.Join(r.Reasons, "; "))
			case Failed:
				blocked = r.blocks
				t.Error("\n" + r.Text(0))
			}
		})
	}
}
