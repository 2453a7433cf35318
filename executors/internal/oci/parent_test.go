package oci

import "testing"

func TestParentStaysWhileItIsHeld(t *testing.T) {
	removed := 0
	p := NewParent(func() { removed++ })
	want := func(n int) {
		t.Helper()
		if removed != n {
			t.Errorf("removed %d times, want %d", removed, n)
		}
	}
	first, second := p.Hold(), p.Hold()
	p.Tidy()
	want(0)
	first()
	first() // counts once
	want(0)
	second() // does what Tidy could not
	want(1)
	p.Hold()()
	want(1)
	p.Tidy()
	want(2)
}
