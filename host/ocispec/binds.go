package ocispec

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Binds returns the bind mounts that somebody has asked for in a spec, without those that
// [FromRootfs] adds: the init, shared memory, and the files of the directory [Options].Etc.
func Binds(raw json.RawMessage, etc string) ([]specs.Mount, error) {
	var spec struct {
		Mounts []specs.Mount `json:"mounts"`
	}
	if err := json.Unmarshal(raw, &spec); err != nil {
		return nil, executor.Errorf(executor.Internal, "reading back the spec: %w", err)
	}
	return slices.DeleteFunc(spec.Mounts, func(m specs.Mount) bool {
		own := slices.Contains([]string{initTarget, shm, "/dev/mqueue"}, filepath.Clean(m.Destination))
		return own || !isBind(m.Type, m.Options) || strings.HasPrefix(m.Source, etc+"/")
	}), nil
}
