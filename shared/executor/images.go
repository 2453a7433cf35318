package executor

import (
	"context"
	"encoding/json"
	"path/filepath"
	"time"
)

// CapImages is the capability of an [ImageKeeper].
var CapImages = capability[ImageKeeper]("images")

// ImageKeeper is implemented by backends that have images of their own, and can make the
// root file system of a container from one of them.
//
// A root file system belongs to a container, not to an attempt. The host makes it before
// the first attempt, all attempts run on it, one after the other, and it keeps what they
// write until the host removes it. An attempt runs on it if the root.path of its spec is
// the Path of the [Root]. While it is there it needs nothing of the image's name: the
// image may be removed from the backend meanwhile.
type ImageKeeper interface {
	// Images returns all images that the backend has, without their configs.
	Images(ctx context.Context) ([]Image, error)

	// Image returns an image by one of the names that Images lists. An image that is not
	// there is [NotFound], and the message says how it gets there. One that cannot run here
	// is [Unsupported].
	Image(ctx context.Context, name string) (Image, error)

	// PrepareRoot makes the root file system of a container from the image with a digest,
	// unless the container has one, and sees to it that the host reaches it where it can.
	// With an empty digest there must be one. The error is [NotFound] if there is no such
	// image, or none that a root file system was made of. After any error the container has
	// what it had before. Repeating it changes nothing.
	PrepareRoot(ctx context.Context, id, digest string) (Root, error)

	// RemoveRoot removes the root file system of a container, with all that keeps it. One
	// that is not there is no error. While the backend knows an attempt of the container the
	// error is [FailedPrecondition].
	RemoveRoot(ctx context.Context, id string) error

	// Roots returns the ids of the containers of this host and this backend that have a root
	// file system, or a part of one that was not finished.
	Roots(ctx context.Context) ([]string, error)
}

// Image is an image that a backend has.
type Image struct {
	// Name is what the backend calls it, such as docker.io/library/busybox:latest.
	Name string `json:"name"`
	// Digest is that of its manifest, or of the index of manifests for several platforms.
	Digest string `json:"digest"`
	// ID is the digest of its config, and Platform what it was built for. Images leaves
	// them out where a part of the image is missing.
	ID       string `json:"id,omitempty"`
	Platform string `json:"platform,omitempty"`
	// Size is that of its layers as they came, in bytes.
	Size      int64     `json:"size,omitempty"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	// Config is its config as an OCI image has it. Only the method Image returns it.
	Config json.RawMessage `json:"config,omitempty"`
}

// Validate checks that an image has what every image has. The error is [Invalid].
func (i Image) Validate() error {
	if i.Name == "" || i.Digest == "" {
		return Errorf(Invalid, "an image has the name %q and the digest %q; both are needed", i.Name, i.Digest)
	}
	return nil
}

// Root is the root file system of a container.
type Root struct {
	// Path stands for it in a spec. If there is no Problem, it is a directory with the
	// content, which the host may change while no attempt runs.
	Path string `json:"path"`
	// Problem is why the content is not at Path now; empty if it is.
	Problem string `json:"problem,omitempty"`
}

// Validate checks that the path is absolute. The error is [Invalid].
func (r Root) Validate() error {
	if !filepath.IsAbs(r.Path) {
		return Errorf(Invalid, "the path %q of a root file system is not absolute", r.Path)
	}
	return nil
}
