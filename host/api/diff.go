package api

import (
	"context"
	"net/http"
)

// ChangeKind is what became of a file of an image in a container.
type ChangeKind string

const (
	ChangeAdded   ChangeKind = "added"
	ChangeChanged ChangeKind = "changed"
	ChangeDeleted ChangeKind = "deleted"
)

// Change is what became of a file of an image in a container.
type Change struct {
	Path string     `json:"path"`
	Kind ChangeKind `json:"kind"`
}

type differ interface {
	Diff(ctx context.Context, reference string) ([]Change, error)
}

var diffRoute = define(route[differ, refRequest, []Change]{
	Name:   "Diff",
	Method: http.MethodGet,
	Path:   "/v1/containers/{ref}/diff",
	Doc:    "returns what a container has changed of its image",
	Serve:  func(ctx context.Context, h differ, r *refRequest) ([]Change, error) { return h.Diff(ctx, r.Ref) },
})

// Diff returns what a container has changed of its image; see the method of host.Host.
func (c *Client) Diff(ctx context.Context, reference string) ([]Change, error) {
	return diffRoute.call(ctx, c, refRequest{reference})
}
