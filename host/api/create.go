package api

import (
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// createRequest is ContainerOptions, with names of signals and durations as text.
type createRequest struct {
	ContainerOptions
	StopSignal   signalName       `json:"stop_signal,omitzero"`
	StopTimeout  *duration        `json:"stop_timeout,omitempty"`
	StartTimeout duration         `json:"start_timeout,omitzero"`
	HealthCheck  *healthCheckText `json:"health_check,omitempty"`
}

// newCreateRequest returns a request with an id, so that it can be repeated.
func newCreateRequest(o ContainerOptions) createRequest {
	if o.RequestID == "" {
		o.RequestID = rand.Text()
	}
	return createRequest{o, signalName(o.StopSignal), (*duration)(o.StopTimeout), duration(o.StartTimeout), o.HealthCheck.text()}
}

func (r *createRequest) options() ContainerOptions {
	o := r.ContainerOptions
	o.StopSignal, o.StopTimeout = executor.Signal(r.StopSignal), (*time.Duration)(r.StopTimeout)
	o.StartTimeout, o.HealthCheck = time.Duration(r.StartTimeout), r.HealthCheck.check()
	return o
}

type creator interface {
	Create(context.Context, ContainerOptions) (Container, error)
}

var createRoute = define(route[creator, createRequest, Container]{
	Name:      "Create",
	Method:    http.MethodPost,
	Path:      "/v1/containers",
	Doc:       "makes a container and starts it",
	NeedsBody: true,
	Serve: func(ctx context.Context, h creator, r *createRequest) (Container, error) {
		return h.Create(ctx, r.options())
	},
})

// Create makes a container and starts it; see the method of host.Host.
func (c *Client) Create(ctx context.Context, opts ContainerOptions) (created Container, err error) {
	req := newCreateRequest(opts)
	err = c.retry(ctx, func() error {
		created, err = createRoute.call(ctx, c, req)
		return err
	})
	return created, err
}
