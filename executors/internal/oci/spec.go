package oci

import (
	"encoding/json"
	"path/filepath"

	"github.com/davit-run/davit/shared/executor"
)

// Spec is a checked spec, ready for a shim.
type Spec struct {
	JSON     json.RawMessage
	Terminal bool
}

// PrepareSpec checks of a spec what would otherwise fail late or with an obscure
// message, and gives it a cgroup if it names none. What it does not know passes
// through untouched.
func PrepareSpec(spec json.RawMessage, cgroup string) (Spec, error) {
	if len(spec) > executor.MaxSpecSize {
		return Spec{}, executor.Errorf(executor.Invalid, "spec has %d bytes, at most %d are allowed", len(spec), executor.MaxSpecSize)
	}
	var s struct {
		Version string `json:"ociVersion"`
		Root    *struct {
			Path string `json:"path"`
		} `json:"root"`
		Process *struct {
			Terminal bool     `json:"terminal"`
			Args     []string `json:"args"`
		} `json:"process"`
		Linux *struct {
			CgroupsPath string `json:"cgroupsPath"`
		} `json:"linux"`
	}
	if err := json.Unmarshal(spec, &s); err != nil {
		return Spec{}, executor.Errorf(executor.Invalid, "spec: %w", err)
	}
	switch {
	case s.Version == "":
		return Spec{}, executor.Errorf(executor.Invalid, "spec has no ociVersion")
	case s.Root == nil || s.Root.Path == "":
		return Spec{}, executor.Errorf(executor.Invalid, "spec has no root.path")
	case !filepath.IsAbs(s.Root.Path):
		return Spec{}, executor.Errorf(executor.Invalid, "spec's root.path %q is not absolute", s.Root.Path)
	case s.Process == nil || len(s.Process.Args) == 0:
		return Spec{}, executor.Errorf(executor.Invalid, "spec has no process.args")
	}
	w := Spec{JSON: spec, Terminal: s.Process.Terminal}
	if s.Linux != nil && s.Linux.CgroupsPath != "" {
		return w, nil
	}
	var err error
	w.JSON, err = setCgroupsPath(spec, cgroup)
	return w, err
}

// setCgroupsPath works on the JSON, so that fields which this program does not
// know survive.
func setCgroupsPath(spec json.RawMessage, cgroup string) (json.RawMessage, error) {
	var top, linux map[string]json.RawMessage
	err := json.Unmarshal(spec, &top)
	if err == nil && len(top["linux"]) > 0 {
		err = json.Unmarshal(top["linux"], &linux)
	}
	if linux == nil {
		linux = make(map[string]json.RawMessage)
	}
	if err == nil {
		linux["cgroupsPath"], err = json.Marshal(cgroup)
	}
	if err == nil {
		top["linux"], err = json.Marshal(linux)
	}
	if err != nil {
		return nil, executor.Errorf(executor.Invalid, "spec: %w", err)
	}
	return json.Marshal(top)
}
