package executor

import (
	"bytes"
	"encoding/json"
)

// MaxSpecSize bounds the JSON of a spec, in bytes. Specs seen in the field have
// 5 to 50 KB; the transport's own limit is higher, so that this error wins.
const MaxSpecSize = 4 << 20

// Workload is the request of Create.
type Workload struct {
	Ref Ref `json:"ref"`
	// Spec is an OCI runtime spec (config.json). Root.Path is absolute. If Ref.Exec is
	// set, Spec is the process object of one.
	Spec json.RawMessage `json:"spec"`
	// Runtime was resolved by this backend when the container was created.
	Runtime Runtime `json:"runtime"`
	Stdio   Stdio   `json:"stdio"`
	// Checkpoint, if set, is the directory of a checkpoint of an earlier attempt, from which
	// this one goes on instead of beginning anew. What is not a checkpoint, or cannot be
	// gone on from, is an error after which nothing is left.
	Checkpoint string `json:"checkpoint,omitempty"`
}

// Needs returns the capabilities that a backend must have to receive w, besides those of
// its Ref.
func (w Workload) Needs() []Capability {
	needs := w.Stdio.Needs()
	if w.Checkpoint != "" {
		needs = append(needs, CapCheckpoint)
	}
	return needs
}

// Runtime is a runtime as a backend resolved it. The host stores it with the
// container and passes it back unread, so that a change of the config never affects
// an existing container.
type Runtime struct {
	// Name is the name that was asked for. It is empty where the executor has no
	// runtimes.
	Name string `json:"name,omitempty"`
	// Resolved is what the name meant, in a form of the executor's own.
	Resolved json.RawMessage `json:"resolved,omitempty"`
}

// Validate checks everything but the content of the spec. The error is [Invalid] or
// [Unsupported].
func (w Workload) Validate() error {
	if err := w.Ref.Validate(); err != nil {
		return err
	}
	if len(w.Spec) > MaxSpecSize {
		return Errorf(Invalid, "%s: spec has %d bytes, at most %d are allowed", w.Ref, len(w.Spec), MaxSpecSize)
	}
	if spec := bytes.TrimSpace(w.Spec); len(spec) == 0 || spec[0] != '{' {
		return Errorf(Invalid, "%s: spec is not a JSON object", w.Ref)
	}
	switch {
	case w.Checkpoint == "":
	case w.Ref.Exec != "":
		return Errorf(Invalid, "%s: a further process has no checkpoint", w.Ref)
	default:
		if err := checkCheckpoint(w.Checkpoint); err != nil {
			return err
		}
	}
	return w.Stdio.Validate()
}
