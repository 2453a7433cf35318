package containers

import (
	"encoding/json"

	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// checkHooks refuses a spec with hooks. They are programs that run outside of the
// container, as the user of the runtime.
func checkHooks(spec json.RawMessage) error {
	var read struct {
		Hooks *specs.Hooks `json:"hooks"`
	}
	if err := json.Unmarshal(spec, &read); err != nil {
		return executor.Errorf(executor.Internal, "reading back the spec: %w", err)
	}
	h := read.Hooks
	if h == nil {
		return nil
	}
	for _, kind := range []struct {
		name  string
		hooks []specs.Hook
	}{
		{"prestart", h.Prestart}, //nolint:staticcheck // runtimes still run them
		{"createRuntime", h.CreateRuntime}, {"createContainer", h.CreateContainer}, {"startContainer", h.StartContainer},
		{"poststart", h.Poststart}, {"poststop", h.Poststop},
	} {
		if len(kind.hooks) > 0 {
			return executor.Errorf(executor.FailedPrecondition, "the bundle has a hook, %s %q, which would run outside of the container, and this host's config forbids hooks (forbid_hooks); remove the hooks from its config.json", kind.name, kind.hooks[0].Path)
		}
	}
	return nil
}
