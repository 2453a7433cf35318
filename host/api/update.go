package api

import (
	"context"
	"net/http"

	"github.com/davit-run/davit/host/ocispec"
)

// EventUpdated occurs when limits or the restart policy of a container have changed.
const EventUpdated = "container.updated"

// UpdateOptions say what changes of a container.
type UpdateOptions struct {
	ocispec.Limits
	// Restart is the restart policy, as in [ContainerOptions]; nil leaves it as it is.
	Restart *string `json:"restart,omitempty"`
}

type updateRequest struct {
	Ref string `path:"ref" json:"-"`
	UpdateOptions
}

type updater interface {
	Update(ctx context.Context, reference string, opts UpdateOptions) error
}

var updateRoute = define(route[updater, updateRequest, none]{
	Name:      "Update",
	Method:    http.MethodPost,
	Path:      "/v1/containers/{ref}/update",
	Doc:       "changes limits and the restart policy of a container",
	NeedsBody: true,
	Serve: func(ctx context.Context, h updater, r *updateRequest) (none, error) {
		return none{}, h.Update(ctx, r.Ref, r.UpdateOptions)
	},
})

// Update changes limits and the restart policy of a container; see the method of host.Host.
func (c *Client) Update(ctx context.Context, reference string, opts UpdateOptions) error {
	_, err := updateRoute.call(ctx, c, updateRequest{reference, opts})
	return err
}
