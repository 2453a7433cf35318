package ocispec_test

import (
	"testing"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// FuzzLimits checks that a limit or security option which is accepted is not refused
// later.
func FuzzLimits(f *testing.F) {
	for _, value := range []string{"nofile=1024:4096", "core=-1", "nofile=2:1", "no-new-privileges", "seccomp=unconfined", "=", "cpu=18446744073709551615", "nofile=1:"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var o ocispec.Options
		if limit, err := ocispec.ParseUlimit(value); err == nil {
			o.Ulimits = []specs.POSIXRlimit{limit}
		}
		if err := o.Validate(); err != nil {
			t.Errorf("%q was accepted as %+v, which is refused: %v", value, o, err)
		}
	})
}
