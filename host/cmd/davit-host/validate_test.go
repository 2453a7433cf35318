package main

import (
	"reflect"
	"testing"

	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/shared/executor"
)

// TestUnusableRuntimes checks that each problem is said once, and that a runtime which
// nobody configured is none.
func TestUnusableRuntimes(t *testing.T) {
	found := diag.Diagnostics{{Severity: executor.SeverityError, Message: "the shim is gone"}}
	got := unusable("b", []string{"mine", "said"}, []executor.RuntimeInfo{
		{Name: "good"}, {Name: "stock", Problem: "not installed"}, {Name: "mine", Problem: "not there"},
		{Name: "said", Problem: "the shim is gone"}, {Name: "default", Default: true, Problem: "no runc"},
	}, found)
	want := diag.Diagnostics{
		{Severity: executor.SeverityError, Message: `backend "b": runtime "mine" cannot be used: not there`},
		{Severity: executor.SeverityError, Message: `backend "b": runtime "default" cannot be used: no runc`},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}
