package api

import (
	"context"
	"net/http"
	"time"
)

// ImageStep is a step in which an image was built, as the image says itself.
type ImageStep struct {
	// Image is the id of the image, for its last step. Of the others there is no image.
	Image     string    `json:"image,omitempty"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	CreatedBy string    `json:"created_by,omitempty"`
	Comment   string    `json:"comment,omitempty"`
	// Layer is the digest of the archive of the layer that the step has made; empty if it
	// has made none.
	Layer string `json:"layer,omitempty"`
	// Size is that of the files of the layer, in bytes.
	Size int64 `json:"size"`
}

type imageHistorian interface {
	ImageHistory(reference string) ([]ImageStep, error)
}

var imageHistoryRoute = define(route[imageHistorian, imageRequest, []ImageStep]{
	Name:   "ImageHistory",
	Method: http.MethodGet,
	Path:   "/v1/images/{ref}/history",
	Doc:    "returns the steps in which an image was built, the last one first",
	Serve: func(_ context.Context, h imageHistorian, r *imageRequest) ([]ImageStep, error) {
		return h.ImageHistory(r.Ref)
	},
})

// ImageHistory returns the steps in which an image was built, the last one first.
func (c *Client) ImageHistory(ctx context.Context, reference string) ([]ImageStep, error) {
	return imageHistoryRoute.call(ctx, c, imageRequest{reference})
}
