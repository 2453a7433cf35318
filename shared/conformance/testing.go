package conformance

import (
	"strings"
	"testing"
)

// Test makes all checks in all modes of target, each as a subtest. It is what
// the author of an executor calls:
//
//	func TestConformance(t *testing.T) {
//		e := mine.Executor()
//		conformance.Test(t, conformance.Target{Executor: &e, Spec: conformance.OCI(rootfs)})
//	}
func Test(t *testing.T, target Target) {
	t.Helper()
	if err := target.validate(); err != nil {
		t.Fatal(err)
	}
	for _, mode := range target.Modes() {
		t.Run(string(mode), func(t *testing.T) { testMode(t, target, mode) })
	}
}

func testMode(t *testing.T, target Target, mode Mode) {
	unusable := false
	for _, check := range Checks() {
		t.Run(check.Name, func(t *testing.T) {
			if unusable {
				t.Skip(cannotOpen)
			}
			r := check.try(t.Context(), target, mode)
			switch r.Outcome {
			case Skipped:
				t.Skip(strings.Join(r.Reasons, "; "))
			case Failed:
				unusable = check.Name == openCheck
				var b strings.Builder
				_ = r.Write(&b)
				t.Error("\n" + b.String())
			}
		})
	}
}
