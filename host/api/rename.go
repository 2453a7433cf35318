package api

import (
	"context"
	"net/http"
)

// EventRenamed occurs when a container got another name. Data has both, as old and new.
const EventRenamed = "container.renamed"

type renameRequest struct {
	Ref  string `path:"ref" json:"-"`
	Name string `json:"name"`
}

type renamer interface {
	Rename(ctx context.Context, reference, name string) error
}

var renameRoute = define(route[renamer, renameRequest, none]{
	Name:      "Rename",
	Method:    http.MethodPost,
	Path:      "/v1/containers/{ref}/rename",
	Doc:       "gives a container another name",
	NeedsBody: true,
	Serve: func(ctx context.Context, h renamer, r *renameRequest) (none, error) {
		return none{}, h.Rename(ctx, r.Ref, r.Name)
	},
})

// Rename gives a container another name.
func (c *Client) Rename(ctx context.Context, reference, name string) error {
	_, err := renameRoute.call(ctx, c, renameRequest{reference, name})
	return err
}
