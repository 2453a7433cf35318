package shim

import (
	"encoding/json"
	"slices"

	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// checkUser refuses, for an executor that runs as a user other than root, a spec without a user
// namespace: the kernel gives such a user no other. The runtime's own error does not say what
// else there is.
func checkUser(uid int, spec json.RawMessage) error {
	if uid == 0 {
		return nil
	}
	var read struct {
		Linux struct {
			Namespaces []specs.LinuxNamespace `json:"namespaces"`
		} `json:"linux"`
	}
	if err := json.Unmarshal(spec, &read); err != nil {
		return executor.Errorf(executor.Invalid, "spec: %w", err)
	}
	if slices.ContainsFunc(read.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.UserNamespace }) {
		return nil
	}
	return executor.Errorf(executor.FailedPrecondition, "the executor runs as user %d, and a container without a user namespace takes root: run the host as root, give a bundle with a user namespace (runc spec --rootless), or choose a backend of the executor process or wasm, which need no root", uid)
}
