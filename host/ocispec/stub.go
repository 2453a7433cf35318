package ocispec

import "encoding/json"

// Options is a stand-in.
type Options struct {
	Args []string `json:"args,omitempty"`
}

func ValidateName(string) error { return nil }

type Spec struct {
	JSON json.RawMessage
	Args []string
}

func FromBundle(dir string, o Options) (Spec, error) { return Spec{}, nil }
func FromRootfs(dir string, o Options) (Spec, error) { return Spec{}, nil }
