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
	b, err := json.Marshal(map[string]any{"ociVersion": "1.0.2", "root": map[string]any{"path": dir}, "linux": map[string]any{"namespaces": []any{map[string]string{"type":"pid"},map[string]string{"type":"mount"}}}, "mounts": []any{map[string]any{"destination":"/proc","type":"proc","source":"proc"}}, "process": map[string]any{"cwd": "/", "args": o.Args, "env": []string{"PATH=/bin"}}})
	return Spec{JSON: b, Args: o.Args}, err
}
