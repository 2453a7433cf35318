package api

import (
	"context"
	"net/http"
)

type backendRestarter interface {
	RestartBackend(ctx context.Context, backend string) error
}

var restartBackendRoute = define(route[backendRestarter, backendRequest, none]{
	Name:   "RestartBackend",
	Method: http.MethodPost,
	Path:   "/v1/backends/{name}/restart",
	Doc:    "replaces the executor of a backend by what is installed now; containers run on",
	Serve: func(ctx context.Context, h backendRestarter, r *backendRequest) (none, error) {
		return none{}, h.RestartBackend(ctx, r.Name)
	},
})

// RestartBackend ends the executor of a backend and starts the program that is installed
// now. Containers run on.
func (c *Client) RestartBackend(ctx context.Context, backend string) error {
	_, err := restartBackendRoute.call(ctx, c, backendRequest{backend})
	return err
}
