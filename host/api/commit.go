package api

import (
	"context"
	"net/http"
)

// CommitOptions describe the image that is made of a container.
type CommitOptions struct {
	// Name of the image; empty means that it has none.
	Name string `json:"name,omitempty"`
	// Author and Message stand in the history of the image.
	Author  string `json:"author,omitempty"`
	Message string `json:"message,omitempty"`
	// Changes are instructions of a Dockerfile for the config of the image, such as
	// `CMD ["sh"]`: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME or WORKDIR.
	// ENV and LABEL set one name.
	Changes []string `json:"changes,omitempty"`
	// NoPause lets a container run on meanwhile. One whose backend has no pause always does.
	NoPause bool `json:"no_pause,omitempty"`
}

type commitRequest struct {
	Ref string `path:"ref" json:"-"`
	CommitOptions
}

type committer interface {
	Commit(ctx context.Context, reference string, opts CommitOptions) (Image, error)
}

var commitRoute = define(route[committer, commitRequest, Image]{
	Name:      "Commit",
	Method:    http.MethodPost,
	Path:      "/v1/containers/{ref}/commit",
	Doc:       "makes an image of what a container has changed of its image",
	NeedsBody: true,
	Serve: func(ctx context.Context, h committer, r *commitRequest) (Image, error) {
		return h.Commit(ctx, r.Ref, r.CommitOptions)
	},
})

// Commit makes an image of what a container has changed of its image; see the method of
// host.Host.
func (c *Client) Commit(ctx context.Context, reference string, opts CommitOptions) (Image, error) {
	return commitRoute.call(ctx, c, commitRequest{reference, opts})
}
