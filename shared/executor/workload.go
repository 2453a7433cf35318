package executor

import (
	"encoding/json"
	"fmt"
)

// Ref names one attempt of one container. Every call, label and path carries it.
type Ref struct {
	// ID is made by the host and never changes: see [ValidateID].
	ID string `json:"id"`
	// Attempt counts the starts of the container, from 1.
	Attempt int `json:"attempt"`
}

// String gives ID/ATTEMPT.
func (r Ref) String() string { return fmt.Sprintf("%s/%d", r.ID, r.Attempt) }

// MaxIDLength is the longest id. containerd allows 76 bytes and executors add a
// suffix of their own.
const MaxIDLength = 64

// ValidateID reports whether id can name a container on every backend: 1 to
// [MaxIDLength] bytes of lower-case letters, digits and single inner dashes.
// The error is [Invalid].
func ValidateID(id string) error {
	switch {
	case id == "":
		return Errorf(Invalid, "container id is empty")
	case len(id) > MaxIDLength:
		return Errorf(Invalid, "container id has %d bytes, at most %d are allowed", len(id), MaxIDLength)
	}
	for i := range len(id) {
		c := id[i]
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		inner := i > 0 && i < len(id)-1 && id[i-1] != '-'
		if !alnum && (c != '-' || !inner) {
			return Errorf(Invalid, "container id %q: byte %d (%q) is not allowed; use lower-case letters, digits and single inner dashes", id, i, c)
		}
	}
	return nil
}

// Validate checks the id and that attempts count from 1.
func (r Ref) Validate() error {
	if err := ValidateID(r.ID); err != nil {
		return err
	}
	if r.Attempt < 1 {
		return Errorf(Invalid, "container %s: attempt %d is below 1", r.ID, r.Attempt)
	}
	return nil
}

// MaxSpecSize bounds the JSON of a spec, in bytes. Specs seen in the field have
// 5 to 50 KB; the transport's own limit is higher, so that this error wins.
const MaxSpecSize = 4 << 20

// Workload is what Create gets.
type Workload struct {
	Ref Ref `json:"ref"`
	// Spec is an OCI runtime spec (config.json). Root.Path is absolute.
	Spec json.RawMessage `json:"spec"`
	// Runtime was resolved by this backend when the container was made.
	Runtime Runtime `json:"runtime"`
	Stdio   Stdio   `json:"stdio"`
}

// Runtime is a runtime as a backend resolved it. The host stores it with the
// container and hands it back unread, so that a change of the config never
// touches a container that exists.
type Runtime struct {
	// Name is the name that was asked for. It is empty where the executor has no
	// runtimes.
	Name string `json:"name,omitempty"`
	// Resolved is the executor's own record of what the name meant.
	Resolved json.RawMessage `json:"resolved,omitempty"`
}

// StreamKind says what a stream is connected to.
type StreamKind string

const (
	// StreamNull discards output and gives input at its end. The zero value.
	StreamNull StreamKind = ""
	// StreamFile is a regular file that exists. It is opened for appending.
	StreamFile StreamKind = "file"
	// StreamFIFO is a named pipe that exists.
	StreamFIFO StreamKind = "fifo"
)

// Stream is one standard stream of a workload.
type Stream struct {
	Kind StreamKind `json:"kind,omitempty"`
	Path string     `json:"path,omitempty"`
	// Max is how much the host keeps of a file, in bytes; 0 is no limit. The host
	// drops the oldest output beyond it. So that a workload cannot fill the disk
	// while there is no host, an executor may do the same, by punching a hole at the
	// start of the file, once that holds more than twice as much.
	Max int64 `json:"max,omitempty"`
}

// Stdio are the standard streams of an attempt. Stdout and Stderr on the same
// path are merged; what goes to one stream stays in order, and no line is torn,
// but between the streams the order is as good as the backend can: shims, for
// one, have a pipe for each. The executor hands the paths to whatever holds the workload's output and outlives the
// executor; output never crosses the connection to the host.
type Stdio struct {
	Stdin  Stream `json:"stdin,omitzero"`
	Stdout Stream `json:"stdout,omitzero"`
	Stderr Stream `json:"stderr,omitzero"`
}
