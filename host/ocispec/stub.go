package ocispec

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// Options is a stand-in.
type Options struct {
	Args []string `json:"args,omitempty"`
}

func ValidateName(string) error { return nil }

type Spec struct {
	JSON json.RawMessage
	Args []string
}

func FromBundle(dir string, o Options) (Spec, error) {
	b, err := os.ReadFile(filepath.Join(dir, "config.json"))
	return Spec{JSON: b}, err
}
func FromRootfs(dir string, o Options) (Spec, error) {
	b, err := json.Marshal(map[string]any{"ociVersion": "1.0.2", "root": map[string]any{"path": dir}, "process": map[string]any{"cwd": "/", "args": o.Args}})
	return Spec{JSON: b, Args: o.Args}, err
}
