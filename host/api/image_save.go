package api

import (
	"context"
	"io"
	"net/http"
)

type saveRequest struct {
	References []string `json:"references"`
}

type imageSaver interface {
	SaveImages(ctx context.Context, references []string, w io.Writer) error
}

var saveRoute = define(route[imageSaver, saveRequest, tarStream]{
	Name:      "SaveImages",
	Method:    http.MethodPost,
	Path:      "/v1/images/save",
	Doc:       "streams images as an archive that is both an OCI layout and what docker load reads",
	NeedsBody: true,
	Stream: func(ctx context.Context, h imageSaver, r *saveRequest, w http.ResponseWriter) error {
		return sendTar(ctx, w, func(w io.Writer) error { return h.SaveImages(ctx, r.References, w) })
	},
})

// SaveImages writes images to w as an archive; see the method of host.Host. Without an error
// the archive is complete.
func (c *Client) SaveImages(ctx context.Context, references []string, w io.Writer) error {
	resp, err := saveRoute.open(ctx, c, saveRequest{references})
	if err != nil {
		return err
	}
	return c.receiveTar(ctx, resp, w)
}
