package api

import (
	"context"
	"crypto/rand"
	"net/http"
	"path/filepath"
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
	o = o.Located()
	if o.RequestID == "" {
		o.RequestID = rand.Text()
	}
	return createRequest{o, signalName(o.StopSignal), (*duration)(o.StopTimeout), duration(o.StartTimeout), o.HealthCheck.text()}
}

// Located returns o with absolute paths of Bundle and Rootfs. Relative ones are relative to
// the working directory of this program.
func (o ContainerOptions) Located() ContainerOptions {
	for _, path := range []*string{&o.Bundle, &o.Rootfs} {
		if *path == "" {
			continue
		}
		if abs, err := filepath.Abs(*path); err == nil {
			*path = abs
		}
	}
	return o
}

// options returns the options. Those of a request are not relative to the directory of the
// host's program.
func (r *createRequest) options() (ContainerOptions, error) {
	o := r.ContainerOptions
	for what, path := range map[string]string{"bundle": o.Bundle, "rootfs": o.Rootfs} {
		if path != "" && !filepath.IsAbs(path) {
			return o, invalid("%s %q is not an absolute path", what, path)
		}
	}
	o.StopSignal, o.StopTimeout = executor.Signal(r.StopSignal), (*time.Duration)(r.StopTimeout)
	o.StartTimeout, o.HealthCheck = time.Duration(r.StartTimeout), r.HealthCheck.check()
	return o, nil
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
		opts, err := r.options()
		if err != nil {
			return Container{}, err
		}
		return h.Create(ctx, opts)
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
