package api

import (
	"context"
	"net/http"

	"github.com/davit-run/davit/shared/executor"
)

type backendImageLister interface {
	BackendImages(ctx context.Context, backend string) ([]executor.Image, error)
}

var backendImagesRoute = define(route[backendImageLister, backendRequest, []executor.Image]{
	Name:   "BackendImages",
	Method: http.MethodGet,
	Path:   "/v1/backends/{name}/images",
	Doc:    "lists the images that a backend has itself",
	Serve: func(ctx context.Context, h backendImageLister, r *backendRequest) ([]executor.Image, error) {
		return h.BackendImages(ctx, r.Name)
	},
})

// BackendImages lists the images that a backend has itself, by name. The error is
// [executor.Unsupported] if it is of a kind that has none.
func (c *Client) BackendImages(ctx context.Context, backend string) ([]executor.Image, error) {
	return backendImagesRoute.call(ctx, c, backendRequest{backend})
}
