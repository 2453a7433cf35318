package api

import (
	"context"
	"net/http"
)

type removeRequest struct {
	Ref   string `path:"ref" json:"-"`
	Force bool   `query:"force" json:"-"`
}

type remover interface {
	Remove(ctx context.Context, reference string, force bool) error
}

var removeRoute = define(route[remover, removeRequest, none]{
	Name:   "Remove",
	Method: http.MethodDelete,
	Path:   "/v1/containers/{ref}",
	Doc:    "removes a container that has ended, or kills and removes it by force; 202 means that it is recorded, and done later",
	Serve: func(ctx context.Context, h remover, r *removeRequest) (none, error) {
		return none{}, h.Remove(ctx, r.Ref, r.Force)
	},
})

// Remove removes a container; see the method of host.Host.
func (c *Client) Remove(ctx context.Context, reference string, force bool) error {
	_, err := removeRoute.call(ctx, c, removeRequest{reference, force})
	return err
}
