package minishim

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/davit-run/davit/shared/linux"
)

// spec is the part of a container's spec that the shim needs.
type spec struct {
	// ownPIDs: its processes end with the first one.
	ownPIDs bool
	// plain: runc does nothing at start and deletion but what [state] does.
	plain bool
}

func readSpec(bundle string) (spec, error) {
	b, err := linux.ReadFile(filepath.Join(bundle, "config.json"), maxFile)
	if err != nil {
		return spec{}, err
	}
	var s struct {
		Hooks json.RawMessage `json:"hooks"`
		Linux struct {
			IntelRdt   json.RawMessage `json:"intelRdt"`
			Namespaces []struct {
				Type string `json:"type"`
				Path string `json:"path"`
			} `json:"namespaces"`
		} `json:"linux"`
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return spec{}, fmt.Errorf("config.json: %w", err)
	}
	var found spec
	for _, ns := range s.Linux.Namespaces {
		if ns.Type == "pid" && ns.Path == "" {
			found.ownPIDs = true
		}
	}
	found.plain = found.ownPIDs && s.Hooks == nil && s.Linux.IntelRdt == nil
	return found, nil
}
