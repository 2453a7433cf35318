package api

import (
	"context"
	"net/http"
)

var routesRoute = define(route[any, none, []RouteInfo]{
	Name:   "Routes",
	Method: http.MethodGet,
	Path:   "/v1",
	Doc:    "lists the routes of the host",
	Serve:  func(context.Context, any, *none) ([]RouteInfo, error) { return Routes(), nil },
})

// Routes lists the routes of the host, which may be of another release.
func (c *Client) Routes(ctx context.Context) ([]RouteInfo, error) {
	return routesRoute.call(ctx, c, none{})
}
