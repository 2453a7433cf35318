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

type networksChecker interface {
	CheckNetworks() (diag.Diagnostics, error)
}

var checkNetworksRoute = define(route[networksChecker, none, diag.Diagnostics]{
	Name:   "CheckNetworks",
	Method: http.MethodGet,
	Path:   "/v1/check/networks",
	Doc:    "returns what would keep containers from reaching each other, and more than this machine, now",
	Serve: func(_ context.Context, h networksChecker, _ *none) (diag.Diagnostics, error) {
		return h.CheckNetworks()
	},
})

// CheckNetworks returns what would keep containers from reaching each other, and more than the
// machine, now.
func (c *Client) CheckNetworks(ctx context.Context) (diag.Diagnostics, error) {
	return checkNetworksRoute.call(ctx, c, none{})
}

// Check asks a backend what would keep workloads from running now.
func (c *Client) Check(ctx context.Context, backend string) (diag.Diagnostics, error) {
	return checkRoute.call(ctx, c, backendRequest{backend})
}
