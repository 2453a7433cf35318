package host

import (
	"context"
	"io"

	"github.com/davit-run/davit/host/api"
)

// Images returns all images, the newest first.
func (h *Host) Images() ([]api.Image, error) { return h.images.List() }

// InspectImage returns all about an image. A reference is a name, an id or the beginning of
// an id. Names are completed as docker does.
func (h *Host) InspectImage(reference string) (api.ImageDetails, error) {
	return h.images.Inspect(reference)
}

// ImageHistory returns the steps in which an image was built, the last one first, as the
// image says itself.
func (h *Host) ImageHistory(reference string) ([]api.ImageStep, error) {
	return h.images.History(reference)
}

// CheckImage reads all that is on disk of an image: it verifies the digests of its blobs, and
// compares its layers with what the blobs unpack to, which takes as much room meanwhile. With
// repair, layers that are damaged or missing are replaced, unless a container that uses them
// has its root file system mounted, and damaged blobs are removed, so that the next pull or
// load brings good ones.
func (h *Host) CheckImage(ctx context.Context, reference string, repair bool) (api.ImageCheck, error) {
	return h.images.Check(ctx, reference, repair)
}

// LoadImages loads the images of an archive: an OCI layout, or what `docker save` writes,
// compressed or not. It adds the images one after another; each is there when it is on disk,
// with its layers unpacked. If it fails, nothing is left of the image that failed. progress
// may be nil; it is called by one goroutine at a time.
func (h *Host) LoadImages(ctx context.Context, archive io.Reader, opts api.LoadOptions, progress func(api.Progress)) ([]api.Image, error) {
	return h.images.Load(ctx, archive, opts, progress)
}

// SaveImages writes images to w as an archive that is both an OCI layout and what
// `docker load` reads. It has the names by which references mean an image: one with a tag is
// that name, one without is all of its tags, and an id is none. The archive of the same
// images is always the same. Nothing is written if an image or a part of one is missing.
func (h *Host) SaveImages(ctx context.Context, references []string, w io.Writer) error {
	return h.images.Save(ctx, references, w)
}

// PullImage fetches an image from its registry, with the credentials of docker's config.json.
// Names are completed as docker does. What an interrupted pull has fetched is kept for a day,
// and the next one goes on with it. progress may be nil; it is called by one goroutine at a
// time.
func (h *Host) PullImage(ctx context.Context, name string, opts api.PullOptions, progress func(api.Progress)) (api.Image, error) {
	return h.images.Pull(ctx, name, opts, progress)
}

// PushImage sends an image to the registry of its name, with the credentials of docker's
// config.json. The name is completed as docker does. Blobs that the registry has are not
// sent; those that images with another name there have, it is asked to take from that
// repository. progress may be nil; it is called by one goroutine at a time.
func (h *Host) PushImage(ctx context.Context, name string, progress func(api.Progress)) (api.Image, error) {
	return h.images.Push(ctx, name, progress)
}

// Login checks the credentials of a user with a registry, and keeps them in docker's
// config.json of the user that the host runs as, or by the credential helper that is named
// there. Pulls and pushes use them.
func (h *Host) Login(ctx context.Context, creds api.Credentials) (api.LoggedIn, error) {
	return h.images.Login(ctx, creds)
}

// Logout forgets the credentials for a registry, empty being docker.io, and returns its
// name. The error is [executor.NotFound] if there are none.
func (h *Host) Logout(ctx context.Context, registry string) (string, error) {
	return h.images.Logout(ctx, registry)
}

// ImportImage makes an image of the root file system in a tar archive, compressed or not.
// The image says nothing of a command. progress may be nil; it is called by one goroutine at
// a time.
func (h *Host) ImportImage(ctx context.Context, archive io.Reader, opts api.ImportOptions, progress func(api.Progress)) (api.Image, error) {
	return h.images.Import(ctx, archive, opts, progress)
}

// RemoveImage removes a name of an image, and the image with its last name. The error is
// [executor.FailedPrecondition] for an image from which containers were made, and for an id
// whose image has several names, unless force is set. The containers keep the files that
// they need.
func (h *Host) RemoveImage(ctx context.Context, reference string, force bool) (api.RemovedImage, error) {
	return h.images.Remove(ctx, reference, force)
}

// TagImage gives an image another name, which the image that had it loses.
func (h *Host) TagImage(ctx context.Context, reference, name string) error {
	return h.images.Tag(ctx, reference, name)
}

// PruneImages removes the images without a name from which no container was made, or all
// without a container, and what interrupted work has left.
func (h *Host) PruneImages(ctx context.Context, opts api.PruneImagesOptions) (api.PrunedImages, error) {
	return h.images.Prune(ctx, opts)
}
