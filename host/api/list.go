package api

import (
	"context"
	"net/http"
)

type lister interface{ List() ([]Container, error) }

var listRoute = define(route[lister, none, []Container]{
	Name:   "List",
	Method: http.MethodGet,
	Path:   "/v1/containers",
	Doc:    "lists all containers, oldest first",
	Serve:  func(_ context.Context, h lister, _ *none) ([]Container, error) { return h.List() },
})

// List returns all containers, oldest first.
func (c *Client) List(ctx context.Context) ([]Container, error) {
	return listRoute.call(ctx, c, none{})
}
