package api

import (
	"context"
	"net/http"
	"time"
)

// Kinds of strays.
const (
	// StrayContainer is a container that a backend has and that no host looks after.
	StrayContainer = "container"
	// StrayDirectory is the output of a container of which nothing else is known.
	StrayDirectory = "directory"
)

// Stray is what is left of a container whose record is lost.
type Stray struct {
	// ID is that of the container.
	ID   string `json:"id"`
	Kind string `json:"kind"`
	Name string `json:"name,omitempty"`
	// Backend is the one through which it was found, or on which it was.
	Backend string    `json:"backend,omitempty"`
	Runtime string    `json:"runtime,omitempty"`
	Command []string  `json:"command,omitempty"`
	State   State     `json:"state,omitempty"`
	PID     int       `json:"pid,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	// Host is the id of the host that had started it.
	Host string `json:"host,omitempty"`
	// What says in words what it is, and where.
	What string `json:"what"`
	// Problem is why it cannot be adopted, empty if it can.
	Problem string `json:"problem,omitempty"`
}

type strayLister interface {
	Strays(ctx context.Context) ([]Stray, error)
}

type strayAdopter interface {
	AdoptStray(ctx context.Context, reference string) (Container, error)
}

type strayRemover interface {
	RemoveStray(ctx context.Context, reference string) error
}

var straysRoute = define(route[strayLister, none, []Stray]{
	Name:   "Strays",
	Method: http.MethodGet,
	Path:   "/v1/strays",
	Doc:    "lists what is left of containers whose records are lost",
	Serve:  func(ctx context.Context, h strayLister, _ *none) ([]Stray, error) { return h.Strays(ctx) },
})

var strayAdoptRoute = define(route[strayAdopter, refRequest, Container]{
	Name:   "AdoptStray",
	Method: http.MethodPost,
	Path:   "/v1/strays/{ref}/adopt",
	Doc:    "makes a stray a container of the host",
	Serve: func(ctx context.Context, h strayAdopter, r *refRequest) (Container, error) {
		return h.AdoptStray(ctx, r.Ref)
	},
})

var strayRemoveRoute = define(route[strayRemover, refRequest, none]{
	Name:   "RemoveStray",
	Method: http.MethodDelete,
	Path:   "/v1/strays/{ref}",
	Doc:    "kills a stray, and removes it with its output",
	Serve: func(ctx context.Context, h strayRemover, r *refRequest) (none, error) {
		return none{}, h.RemoveStray(ctx, r.Ref)
	},
})

// Strays lists what is left of containers whose records are lost.
func (c *Client) Strays(ctx context.Context) ([]Stray, error) {
	return straysRoute.call(ctx, c, none{})
}

// AdoptStray makes a stray a container of the host. What runs does not notice. reference is
// its id or name, or the beginning of its id.
func (c *Client) AdoptStray(ctx context.Context, reference string) (Container, error) {
	return strayAdoptRoute.call(ctx, c, refRequest{reference})
}

// RemoveStray kills a stray, and removes it with its output.
func (c *Client) RemoveStray(ctx context.Context, reference string) error {
	_, err := strayRemoveRoute.call(ctx, c, refRequest{reference})
	return err
}
