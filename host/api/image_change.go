package api

import (
	"context"
	"net/http"
)

// RemovedImage says what became of an image that was removed.
type RemovedImage struct {
	ID string `json:"id"`
	// Untagged has the names that it lost, as users write them.
	Untagged []string `json:"untagged,omitempty"`
	// Removed says that it is gone. Otherwise it has other names.
	Removed bool `json:"removed,omitempty"`
	// Bytes is how much of the disk was freed.
	Bytes int64 `json:"bytes,omitempty"`
}

type removeImageRequest struct {
	Ref   string `path:"ref" json:"-"`
	Force bool   `query:"force" json:"-"`
}

type imageRemover interface {
	RemoveImage(ctx context.Context, reference string, force bool) (RemovedImage, error)
}

var removeImageRoute = define(route[imageRemover, removeImageRequest, RemovedImage]{
	Name:   "RemoveImage",
	Method: http.MethodDelete,
	Path:   "/v1/images/{ref}",
	Doc:    "removes a name of an image, and the image with its last name",
	Serve: func(ctx context.Context, h imageRemover, r *removeImageRequest) (RemovedImage, error) {
		return h.RemoveImage(ctx, r.Ref, r.Force)
	},
})

// RemoveImage removes a name of an image, and the image with its last name; see the method
// of host.Host.
func (c *Client) RemoveImage(ctx context.Context, reference string, force bool) (RemovedImage, error) {
	return removeImageRoute.call(ctx, c, removeImageRequest{reference, force})
}

type tagImageRequest struct {
	Ref  string `path:"ref" json:"-"`
	Name string `json:"name"`
}

type imageTagger interface {
	TagImage(ctx context.Context, reference, name string) error
}

var tagImageRoute = define(route[imageTagger, tagImageRequest, none]{
	Name:      "TagImage",
	Method:    http.MethodPost,
	Path:      "/v1/images/{ref}/tag",
	Doc:       "gives an image another name, which the image that had it loses",
	NeedsBody: true,
	Serve: func(ctx context.Context, h imageTagger, r *tagImageRequest) (none, error) {
		return none{}, h.TagImage(ctx, r.Ref, r.Name)
	},
})

// TagImage gives an image another name, which the image that had it loses.
func (c *Client) TagImage(ctx context.Context, reference, name string) error {
	_, err := tagImageRoute.call(ctx, c, tagImageRequest{reference, name})
	return err
}

// PruneImagesOptions say which images to remove.
type PruneImagesOptions struct {
	// All removes the images that no container was made from, and not only those without a
	// name.
	All bool `json:"all,omitempty"`
	// DryRun removes nothing.
	DryRun bool `json:"dry_run,omitempty"`
}

// PrunedImages is what was removed.
type PrunedImages struct {
	Images []Image `json:"images"`
	Bytes  int64   `json:"bytes"`
}

type imagePruner interface {
	PruneImages(ctx context.Context, opts PruneImagesOptions) (PrunedImages, error)
}

var pruneImagesRoute = define(route[imagePruner, PruneImagesOptions, PrunedImages]{
	Name:   "PruneImages",
	Method: http.MethodPost,
	Path:   "/v1/images/prune",
	Doc:    "removes the images that nothing needs",
	Serve: func(ctx context.Context, h imagePruner, r *PruneImagesOptions) (PrunedImages, error) {
		return h.PruneImages(ctx, *r)
	},
})

// PruneImages removes the images that nothing needs; see the method of host.Host.
func (c *Client) PruneImages(ctx context.Context, opts PruneImagesOptions) (PrunedImages, error) {
	return pruneImagesRoute.call(ctx, c, opts)
}
