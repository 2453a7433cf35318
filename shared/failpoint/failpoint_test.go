//go:build failpoint

package failpoint_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/davit-run/davit/shared/failpoint"
)

func arm(t *testing.T, name, action string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("DAVIT_FAILPOINTS", dir)
	if err := os.WriteFile(filepath.Join(dir, name), []byte(action), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestHitHappensOnce(t *testing.T) {
	arm(t, "some.place", "error")
	if err := failpoint.Hit("other.place"); err != nil {
		t.Errorf("another place: got %v, want nil", err)
	}
	if err := failpoint.Hit("some.place"); err == nil {
		t.Error("got nil, want the error")
	}
	if err := failpoint.Hit("some.place"); err != nil {
		t.Errorf("the second time: got %v, want nil", err)
	}
}

func TestHitIsScoped(t *testing.T) {
	arm(t, "elsewhere+some.place", "error")
	if err := failpoint.Hit("some.place"); err != nil {
		t.Errorf("out of scope: got %v, want nil", err)
	}
	arm(t, "failpoint+some.place", "error") // this package's directory
	if err := failpoint.Hit("some.place"); err == nil {
		t.Error("in scope: got nil, want the error")
	}
}

func TestReplyLies(t *testing.T) {
	arm(t, "call.list", "lie []")
	if err := failpoint.Call("list"); err != nil {
		t.Errorf("a lie is not for Call: got %v", err)
	}
	if got := string(failpoint.Reply("list", []byte("true"))); got != "[]" {
		t.Errorf("got %q, want the lie", got)
	}
	if got := string(failpoint.Reply("list", []byte("true"))); got != "true" {
		t.Errorf("the second time: got %q, want the right reply", got)
	}
}
