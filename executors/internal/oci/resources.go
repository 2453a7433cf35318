package oci

import (
	"encoding/json"

	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/protobuf/types/known/anypb"
)

// resourcesURL is how shims know the type of resources.
const resourcesURL = "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources"

// Resources returns the linux.resources of a spec as shims take it, or nil if it has none.
// The error is [executor.Invalid] if it cannot be decoded.
func Resources(raw json.RawMessage) (*anypb.Any, error) {
	var r specs.LinuxResources
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, executor.Errorf(executor.Invalid, "resources: %w", err)
	}
	text, err := json.Marshal(r)
	if err != nil || string(text) == "{}" {
		return nil, err
	}
	return &anypb.Any{TypeUrl: resourcesURL, Value: text}, nil
}
