package api

import (
	"context"
	"net/http"

	"github.com/davit-run/davit/shared/executor"
)

type runtimeLister interface {
	Runtimes(ctx context.Context, backend string) ([]executor.RuntimeInfo, error)
}

var runtimesRoute = define(route[runtimeLister, backendRequest, []executor.RuntimeInfo]{
	Name:   "Runtimes",
	Method: http.MethodGet,
	Path:   "/v1/backends/{name}/runtimes",
	Doc:    "lists the runtimes of a backend",
	Serve: func(ctx context.Context, h runtimeLister, r *backendRequest) ([]executor.RuntimeInfo, error) {
		return h.Runtimes(ctx, r.Name)
	},
})

// Runtimes lists the runtimes of a backend.
func (c *Client) Runtimes(ctx context.Context, backend string) ([]executor.RuntimeInfo, error) {
	return runtimesRoute.call(ctx, c, backendRequest{backend})
}
