package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// ListOptions select containers: those that have one of the values of each field, and all
// labels. The zero value selects all.
type ListOptions struct {
	States   []State
	Backends []string
	// Labels are NAME, which has any value, or NAME=VALUE.
	Labels []string
}

// Selects reports whether a container is among those that o selects.
func (o ListOptions) Selects(c Container) bool {
	if len(o.States) > 0 && !slices.Contains(o.States, c.State) || len(o.Backends) > 0 && !slices.Contains(o.Backends, c.Backend) {
		return false
	}
	for _, label := range o.Labels {
		name, want, valued := strings.Cut(label, "=")
		if got, has := c.Labels[name]; !has || valued && got != want {
			return false
		}
	}
	return true
}

type listRequest struct {
	State   []string `query:"state" json:"-"`
	Backend []string `query:"backend" json:"-"`
	// Label is NAME or NAME=VALUE. Of several, all must be there.
	Label []string `query:"label" json:"-"`
}

type lister interface {
	List(opts ...ListOptions) ([]Container, error)
}

var listRoute = define(route[lister, listRequest, []Container]{
	Name:   "List",
	Method: http.MethodGet,
	Path:   "/v1/containers",
	Doc:    "lists the containers with one of the states, one of the backends and all labels that are given, oldest first",
	Serve: func(_ context.Context, h lister, r *listRequest) ([]Container, error) {
		o := ListOptions{Backends: r.Backend, Labels: r.Label}
		for _, s := range r.State {
			o.States = append(o.States, State(s))
		}
		return h.List(o)
	},
})

// List returns the containers that each of opts selects, oldest first; without opts, all.
func (c *Client) List(ctx context.Context, opts ...ListOptions) ([]Container, error) {
	if len(opts) == 0 {
		return listRoute.call(ctx, c, listRequest{})
	}
	var r listRequest
	for _, s := range opts[0].States {
		r.State = append(r.State, string(s))
	}
	r.Backend, r.Label = opts[0].Backends, opts[0].Labels
	all, err := listRoute.call(ctx, c, r)
	return slices.DeleteFunc(all, func(c Container) bool { return !selected(opts[1:], c) }), err
}

// Select returns the containers that each of opts selects.
func Select(all []Container, opts ...ListOptions) []Container {
	return slices.DeleteFunc(all, func(c Container) bool { return !selected(opts, c) })
}

func selected(opts []ListOptions, c Container) bool {
	return !slices.ContainsFunc(opts, func(o ListOptions) bool { return !o.Selects(c) })
}
