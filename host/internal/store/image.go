package store

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// Image is the record of an image.
type Image struct {
	// ID is the digest of its config.
	ID string `json:"id"`
	// Names are whole: with a registry and a tag. No other image has them. An image may
	// have none.
	Names []string `json:"names,omitempty"`
	// Manifest is the digest of its manifest, a blob.
	Manifest string `json:"manifest"`
	// Layers are the digests of its layers' blobs, and DiffIDs those of the archives in
	// them, the lowest first.
	Layers  []string `json:"layers,omitempty"`
	DiffIDs []string `json:"diff_ids,omitempty"`
	// Platform is what it was built for, such as linux/amd64.
	Platform string `json:"platform,omitempty"`
	// Size is that of the files of its layers, in bytes.
	Size int64 `json:"size"`
	// CreatedAt is when it was built, as it says itself; zero if it does not say. AddedAt is
	// when it came here.
	CreatedAt time.Time `json:"created_at,omitzero"`
	AddedAt   time.Time `json:"added_at"`
}

// maxImageName is the longest name of an image, in bytes. Registries allow half of it.
const maxImageName = 512

// PutImage writes an image, and takes its names from the images that had them.
func (tx *Tx) PutImage(image *Image) error {
	if image.ID == "" {
		return executor.Errorf(executor.Invalid, "image has no id")
	}
	for _, name := range image.Names {
		if name == "" || len(name) > maxImageName {
			return executor.Errorf(executor.Invalid, "image %s: a name has %d bytes, 1 to %d are allowed", image.ID, len(name), maxImageName)
		}
	}
	all, err := tx.Images()
	if err != nil {
		return err
	}
	for _, other := range all {
		kept := slices.DeleteFunc(slices.Clone(other.Names), func(name string) bool { return slices.Contains(image.Names, name) })
		if other.ID == image.ID || len(kept) == len(other.Names) {
			continue
		}
		other.Names = kept
		if err := tx.putJSON(images, []byte(other.ID), other); err != nil {
			return err
		}
	}
	return tx.putJSON(images, []byte(image.ID), image)
}

// RemoveImage removes the record of an image. It is no error if there is none.
func (tx *Tx) RemoveImage(id string) error { return tx.delete(images, []byte(id)) }

// Image returns an image by its id, or NotFound.
func (tx *Tx) Image(id string) (*Image, error) {
	image := new(Image)
	found, err := tx.getJSON(images, []byte(id), image)
	if err == nil && !found {
		err = executor.Errorf(executor.NotFound, "no image %s", id)
	}
	return image, err
}

// Images returns all images in the order of their ids. It leaves out those that cannot be
// read, and names them in the error.
func (tx *Tx) Images() ([]*Image, error) {
	var all []*Image
	var errs []error
	for k, v := range tx.scan(images, nil) {
		image := new(Image)
		if err := decodeJSON(images, k, v, image); err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, image)
	}
	return all, errors.Join(errs...)
}

// FindImage returns the image with a name, or else the one with an id that begins with
// prefix, which may be empty. The error is NotFound if there is none, and Invalid if more
// than one id begins so.
func (tx *Tx) FindImage(name, prefix string) (*Image, error) {
	all, err := tx.Images()
	var matches []*Image
	for _, image := range all {
		if name != "" && slices.Contains(image.Names, name) {
			return image, nil
		}
		_, hex, _ := strings.Cut(image.ID, ":")
		if prefix != "" && strings.HasPrefix(hex, strings.TrimPrefix(prefix, "sha256:")) {
			matches = append(matches, image)
		}
	}
	switch {
	case len(matches) == 1:
		return matches[0], nil
	case len(matches) > 1:
		return nil, executor.Errorf(executor.Invalid, "%q is the start of more than one image id; give more of it", prefix)
	case err != nil:
		return nil, err
	}
	return nil, executor.Errorf(executor.NotFound, "no image %q", name)
}
