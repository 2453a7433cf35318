package api

import (
	"context"
	"net/http"

	"github.com/davit-run/davit/host/diag"
)

type checker interface {
	Check(ctx context.Context, backend string) (diag.Diagnostics, error)
}

var checkRoute = define(route[checker, backendRequest, diag.Diagnostics]{
	Name:   "Check",
	Method: http.MethodGet,
	Path:   "/v1/backends/{name}/check",
	Doc:    "asks a backend what would keep workloads from running now",
	Serve: func(ctx context.Context, h checker, r *backendRequest) (diag.Diagnostics, error) {
		return h.Check(ctx, r.Name)
	},
})

// Check asks a backend what would keep workloads from running now.
func (c *Client) Check(ctx context.Context, backend string) (diag.Diagnostics, error) {
	return checkRoute.call(ctx, c, backendRequest{backend})
}
