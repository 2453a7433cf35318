package executor

import "fmt"

// Ref names one process of one attempt of one container. Every call, label and
// path carries it.
type Ref struct {
	// ID is chosen by the host and never changes: see [ValidateID].
	ID string `json:"id"`
	// Attempt counts the starts of the container, from 1.
	Attempt int `json:"attempt"`
	// Exec is the id, chosen by the host, of a further process of the attempt; empty
	// for its first one. A backend without [CapExec] never receives one: it would
	// ignore the field and act on the first process.
	Exec string `json:"exec,omitempty"`
}

// String returns ID/ATTEMPT, or ID/ATTEMPT/EXEC.
func (r Ref) String() string {
	if r.Exec != "" {
		return fmt.Sprintf("%s/%d/%s", r.ID, r.Attempt, r.Exec)
	}
	return fmt.Sprintf("%s/%d", r.ID, r.Attempt)
}

// Init returns the ref of the attempt's first process.
func (r Ref) Init() Ref { return Ref{ID: r.ID, Attempt: r.Attempt} }

// Needs returns the capabilities that a backend must have to receive r.
func (r Ref) Needs() []Capability {
	if r.Exec != "" {
		return []Capability{CapExec}
	}
	return nil
}

// Validate checks the ids and that attempts count from 1. The error is [Invalid].
func (r Ref) Validate() error {
	if err := ValidateID(r.ID); err != nil {
		return err
	}
	if r.Attempt < 1 {
		return Errorf(Invalid, "container %s: attempt %d is below 1", r.ID, r.Attempt)
	}
	if r.Exec == "" {
		return nil
	}
	return validateID("exec id", r.Exec)
}

// MaxIDLength is the longest id. containerd allows 76 bytes and executors add a
// suffix of their own.
const MaxIDLength = 64

// ValidateID reports whether id can name a container on every backend: 1 to
// [MaxIDLength] bytes of lower-case letters, digits and single inner dashes.
// The error is [Invalid].
func ValidateID(id string) error { return validateID("container id", id) }

func validateID(what, id string) error {
	switch {
	case id == "":
		return Errorf(Invalid, "%s is empty", what)
	case len(id) > MaxIDLength:
		return Errorf(Invalid, "%s has %d bytes, at most %d are allowed", what, len(id), MaxIDLength)
	}
	for i := range len(id) {
		c := id[i]
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		inner := i > 0 && i < len(id)-1 && id[i-1] != '-'
		if !alnum && (c != '-' || !inner) {
			return Errorf(Invalid, "%s %q: byte %d (%q) is not allowed; use lower-case letters, digits and single inner dashes", what, id, i, c)
		}
	}
	return nil
}
