package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Liveness says whether a host does its work. If it does not, another one should replace it;
// its containers run on meanwhile.
type Liveness struct {
	Live bool `json:"live"`
	// Problem is what is wrong, and what to do.
	Problem string `json:"problem,omitempty"`
}

// Readiness says whether containers can be started.
type Readiness struct {
	// Ready means that the host lives, and that all the backends are ready that were asked
	// for.
	Ready bool `json:"ready"`
	// Problem is why the host as a whole is not ready.
	Problem  string             `json:"problem,omitempty"`
	Backends []BackendReadiness `json:"backends"`
}

// BackendReadiness says whether containers of a backend can be started.
type BackendReadiness struct {
	Name  string       `json:"name"`
	Ready bool         `json:"ready"`
	State BackendState `json:"state"`
	Since time.Time    `json:"since,omitzero"` // of State
	// Problem is why it is not ready.
	Problem string `json:"problem,omitempty"`
	// Default means that containers which name no backend run here.
	Default bool `json:"default,omitempty"`
}

// statusReply is a reply that says with which status it is sent: 200 or 503.
type statusReply interface{ httpStatus() int }

func (l Liveness) httpStatus() int  { return probeStatus(l.Live) }
func (r Readiness) httpStatus() int { return probeStatus(r.Ready) }

// probeStatus returns the status of an answer to a probe: supervisors and load balancers look
// at nothing else.
func probeStatus(good bool) int {
	if good {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}

type liver interface {
	Live(ctx context.Context) (Liveness, error)
}

type readier interface {
	Ready(ctx context.Context, backends []string) (Readiness, error)
}

type readyRequest struct {
	Backends []string `query:"backend" json:"-"`
}

var liveRoute = define(route[liver, none, Liveness]{
	Name:       "Live",
	Method:     http.MethodGet,
	Path:       "/livez",
	Doc:        "says whether the host does its work, with status 503 if it does not",
	Monitoring: true,
	Serve:      func(ctx context.Context, h liver, _ *none) (Liveness, error) { return h.Live(ctx) },
})

var readyRoute = define(route[readier, readyRequest, Readiness]{
	Name:       "Ready",
	Method:     http.MethodGet,
	Path:       "/readyz",
	Doc:        "says whether containers can be started, on all backends or on those that are named, with status 503 if not",
	Monitoring: true,
	Serve: func(ctx context.Context, h readier, r *readyRequest) (Readiness, error) {
		return h.Ready(ctx, r.Backends)
	},
})

// Live says whether the host does its work.
func (c *Client) Live(ctx context.Context) (l Liveness, err error) {
	return l, probe(ctx, c, liveRoute.Method, liveRoute.Path, &none{}, &l)
}

// Ready says whether containers can be started: on all backends, or on those that are named.
func (c *Client) Ready(ctx context.Context, backends []string) (r Readiness, err error) {
	return r, probe(ctx, c, readyRoute.Method, readyRoute.Path, &readyRequest{backends}, &r)
}

// probe makes a request whose reply may have status 503.
func probe(ctx context.Context, c *Client, method, path string, in, reply any) error {
	target, _, err := writeRequest(path, in)
	if err != nil {
		return err
	}
	req, err := newRequest(ctx, method, target, nil)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.broken(ctx, method, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusServiceUnavailable {
		return readFailure(resp)
	}
	raw, err := c.readAll(ctx, resp)
	if err != nil {
		return err
	}
	var f failure
	if resp.StatusCode != http.StatusOK && json.Unmarshal(raw, &f) == nil && f.Code != "" {
		return f.err()
	}
	if err := json.Unmarshal(raw, reply); err != nil {
		return fmt.Errorf("answer of the host at %s: %w", c.socket, err)
	}
	return nil
}
