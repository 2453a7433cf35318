package conformance

import (
	"testing"

	"github.com/davit-run/davit/shared/transport"
)

// TestEachMethodHasACheck makes sure that each method has a duty. TestBroken makes
// sure that each check fails for a broken executor.
func TestEachMethodHasACheck(t *testing.T) {
	checked := map[string]bool{}
	for _, check := range Checks() {
		checked[check.Method] = true
		if check.Name == "" || check.Duty == "" || check.Hint == "" {
			t.Errorf("the check %q lacks a duty or a hint", check.Name)
		}
	}
	for _, method := range transport.Methods() {
		if !checked[method.Name] {
			t.Errorf("no check is about the method %q", method.Name)
		}
	}
}
