package executor

import (
	"context"
	"slices"
	"testing"
)

type (
	core     struct{ Backend }
	freezer  struct{ core }
	chooser  struct{ freezer }
	listener struct{ core }
)

func (freezer) Pause(context.Context, Ref) error  { return nil }
func (freezer) Resume(context.Context, Ref) error { return nil }
func (chooser) Offers(c Capability) bool          { return c != CapPause }
func (listener) Declares() []Capability           { return []Capability{CapExec} }

func TestCapabilities(t *testing.T) {
	for name, c := range map[string]struct {
		backend Backend
		want    []Capability
	}{
		"none":                    {core{}, nil},
		"an interface":            {freezer{}, []Capability{CapPause}},
		"a nil prototype":         {(*freezer)(nil), []Capability{CapPause}},
		"an interface, and a no":  {chooser{}, nil},
		"a feature, and no other": {listener{}, []Capability{CapExec}},
	} {
		if got := Capabilities(c.backend); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	if Offers(freezer{}, "no-such-capability") {
		t.Error("a backend offers a capability that nobody declared")
	}
}

func TestNeeds(t *testing.T) {
	exec := Ref{ID: "a", Attempt: 1, Exec: "x"}
	if got := exec.Needs(); !slices.Equal(got, []Capability{CapExec}) || exec.Init().Needs() != nil {
		t.Errorf("a ref of an exec needs %q, its attempt %q", got, exec.Init().Needs())
	}
	if s := exec.String(); s != "a/1/x" || exec.Init().String() != "a/1" {
		t.Errorf("refs are written %q and %q", s, exec.Init())
	}
	stdio := Stdio{Stdin: Stream{Kind: StreamFIFO, Path: "/a"}, Stdout: Stream{Kind: StreamFile, Path: "/b"}, Terminal: true}
	if got := stdio.Needs(); !slices.Equal(got, []Capability{CapStdin, CapTerminal}) {
		t.Errorf("a terminal with input needs %q", got)
	}
	if err := stdio.Validate(); err != nil {
		t.Errorf("a terminal: %v", err)
	}
	stdio.Stderr = stdio.Stdout
	if err := stdio.Validate(); CodeOf(err) != Invalid || !stdio.Merged() {
		t.Errorf("a terminal with stderr: got %v, merged %t", err, stdio.Merged())
	}
}
