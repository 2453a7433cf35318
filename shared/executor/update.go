package executor

import (
	"bytes"
	"context"
	"encoding/json"
)

// CapUpdate is the capability of an [Updater].
var CapUpdate = capability[Updater]("update")

// Updater is implemented by backends that can change the limits of what runs.
type Updater interface {
	// Update sets limits of an attempt. Resources is the linux.resources of an OCI spec, as
	// JSON. What it does not have stays as it is, and -1 is no limit. Setting what is set
	// already changes nothing. A limit that the backend cannot set is [Unsupported], and
	// none is set then. Any other error means that some of them may be set. An attempt that
	// has ended is [FailedPrecondition], an unknown one [NotFound]. A paused attempt is
	// updated too.
	Update(ctx context.Context, ref Ref, resources json.RawMessage) error
}

// CheckResources checks the request of an Update, but for the limits themselves. The error
// is [Invalid].
func CheckResources(resources json.RawMessage) error {
	if len(resources) > MaxSpecSize {
		return Errorf(Invalid, "resources have %d bytes, at most %d are allowed", len(resources), MaxSpecSize)
	}
	if r := bytes.TrimSpace(resources); len(r) == 0 || r[0] != '{' || !json.Valid(r) {
		return Errorf(Invalid, "resources are not a JSON object")
	}
	return nil
}
