package api

import (
	"context"
	"net/http"
)

type backendLister interface{ Backends() ([]BackendInfo, error) }

var backendsRoute = define(route[backendLister, none, []BackendInfo]{
	Name:   "Backends",
	Method: http.MethodGet,
	Path:   "/v1/backends",
	Doc:    "lists the backends, by name",
	Serve:  func(_ context.Context, h backendLister, _ *none) ([]BackendInfo, error) { return h.Backends() },
})

// Backends lists the backends, by name.
func (c *Client) Backends(ctx context.Context) ([]BackendInfo, error) {
	return backendsRoute.call(ctx, c, none{})
}
