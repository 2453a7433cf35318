package seccomp

import (
	"encoding/json"
	"testing"
)

// FuzzApply checks that a profile which is accepted leaves a spec that can be read.
func FuzzApply(f *testing.F) {
	for _, profile := range []string{
		`{"defaultAction":"SCMP_ACT_ALLOW"}`, `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}`,
		`{"defaultAction":"SCMP_ACT_ERRNO","archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["x"]}]}`, `{}`, `null`, `unconfined`,
	} {
		f.Add(profile)
	}
	f.Fuzz(func(t *testing.T, profile string) {
		spec, err := Apply(json.RawMessage(`{"process":{"args":["a"]},"linux":{"x":1}}`), profile)
		if err == nil && !json.Valid(spec) {
			t.Errorf("%q made %q", profile, spec)
		}
	})
}
