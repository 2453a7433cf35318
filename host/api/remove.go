package api

import (
	"context"
	"net/http"
)

// RemoveOptions say how a container is removed.
type RemoveOptions struct {
	// Force kills a container that has not ended.
	Force bool
	// Volumes removes its anonymous volumes too, unless other containers have them.
	Volumes bool
}

type removeRequest struct {
	Ref     string `path:"ref" json:"-"`
	Force   bool   `query:"force" json:"-"`
	Volumes bool   `query:"volumes" json:"-"`
}

type remover interface {
	RemoveWith(ctx context.Context, reference string, opts RemoveOptions) error
}

var removeRoute = define(route[remover, removeRequest, none]{
	Name:   "RemoveWith",
	Method: http.MethodDelete,
	Path:   "/v1/containers/{ref}",
	Doc:    "removes a container that has ended, or kills and removes it by force; 202 means that it is recorded, and done later",
	Serve: func(ctx context.Context, h remover, r *removeRequest) (none, error) {
		return none{}, h.RemoveWith(ctx, r.Ref, RemoveOptions{Force: r.Force, Volumes: r.Volumes})
	},
})

// Remove removes a container; see the method of host.Host.
func (c *Client) Remove(ctx context.Context, reference string, force bool) error {
	return c.RemoveWith(ctx, reference, RemoveOptions{Force: force})
}

// RemoveWith is [Client.Remove] with more options.
func (c *Client) RemoveWith(ctx context.Context, reference string, opts RemoveOptions) error {
	_, err := removeRoute.call(ctx, c, removeRequest{reference, opts.Force, opts.Volumes})
	return err
}
