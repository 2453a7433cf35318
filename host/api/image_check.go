package api

import (
	"context"
	"net/http"
)

// ImageCheck is what a look at all that is on disk of an image has found.
type ImageCheck struct {
	Image Image `json:"image"`
	// Problems are empty if the image is as it should be.
	Problems []ImageProblem `json:"problems,omitempty"`
}

// ImageProblem is something of an image that is missing or damaged on disk.
type ImageProblem struct {
	// Blob is the digest of a blob, and Layer that of the archive of a layer. One of them is
	// empty.
	Blob  string `json:"blob,omitempty"`
	Layer string `json:"layer,omitempty"`
	// Text says what is wrong, and what to do about it.
	Text string `json:"text"`
	// Repaired says that it is as it should be now.
	Repaired bool `json:"repaired,omitempty"`
}

type checkImageRequest struct {
	Ref    string `path:"ref" json:"-"`
	Repair bool   `json:"repair,omitempty"`
}

type imageChecker interface {
	CheckImage(ctx context.Context, reference string, repair bool) (ImageCheck, error)
}

var checkImageRoute = define(route[imageChecker, checkImageRequest, ImageCheck]{
	Name:   "CheckImage",
	Method: http.MethodPost,
	Path:   "/v1/images/{ref}/check",
	Doc:    "reads all that is on disk of an image, and repairs it if asked to",
	Serve: func(ctx context.Context, h imageChecker, r *checkImageRequest) (ImageCheck, error) {
		return h.CheckImage(ctx, r.Ref, r.Repair)
	},
})

// CheckImage reads all that is on disk of an image, and repairs it if repair is true; see the
// method of host.Host. It takes about as long as a load of the image.
func (c *Client) CheckImage(ctx context.Context, reference string, repair bool) (ImageCheck, error) {
	return checkImageRoute.call(ctx, c, checkImageRequest{reference, repair})
}
