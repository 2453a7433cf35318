package oci

import (
	"slices"
	"testing"
)

func TestEnviron(t *testing.T) {
	t.Setenv("DAVIT_X", "1")
	t.Setenv("PLUGIN_X", "1")
	t.Setenv("OTHER_DAVIT_X", "1")
	env := Environ()
	if slices.Contains(env, "DAVIT_X=1") || slices.Contains(env, "PLUGIN_X=1") || !slices.Contains(env, "OTHER_DAVIT_X=1") {
		t.Errorf("got %q", env)
	}
}
