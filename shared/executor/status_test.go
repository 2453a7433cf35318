package executor

import (
	"errors"
	"testing"
)

// TestStatusValidate lists what an executor may not say.
func TestStatusValidate(t *testing.T) {
	code := func(n int) *int { return &n }
	ref := Ref{ID: "a", Attempt: 1}
	for name, s := range map[string]Status{
		"pid -1":               {Ref: ref, State: Running, PID: -1},
		"a pid beyond Linux's": {Ref: ref, State: Running, PID: maxPID + 1},
		"a state":              {Ref: ref, State: "bogus"},
		"an output":            {Ref: ref, State: Released, Exit: &Exit{Code: code(0), Source: Observed}, Output: "bogus"},
		"signal -77":           {Ref: ref, State: Exited, Exit: &Exit{Code: code(137), Source: Observed, Signal: -77}},
		"signal 65":            {Ref: ref, State: Exited, Exit: &Exit{Code: code(137), Source: Observed, Signal: 65}},
		"a code":               {Ref: ref, State: Exited, Exit: &Exit{Code: code(256), Source: Observed}},
		"a source":             {Ref: ref, State: Exited, Exit: &Exit{Code: code(1), Source: "bogus"}},
		"no attempt":           {Ref: Ref{ID: "a"}, State: Running},
	} {
		if err := s.Validate(); !errors.Is(err, Invalid) {
			t.Errorf("%s: got %v, want invalid", name, err)
		}
	}
	for name, s := range map[string]Status{
		"running":  {Ref: ref, State: Running, PID: maxPID},
		"released": {Ref: ref, State: Released, Exit: &Exit{Code: code(137), Signal: 9, Source: Observed}, Output: Truncated},
		"lost":     {Ref: ref, State: Exited, Exit: LostExit("the shim died")},
	} {
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
