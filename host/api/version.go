package api

import (
	"context"
	"net/http"
	"os"
)

// Version describes the build of a program and, if the program serves a host, that host.
type Version struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go,omitempty"`
	HostID  string `json:"host_id,omitempty"`
	PID     int    `json:"pid,omitempty"`
}

// versioned is implemented by the handler: a host does not know which program it is in.
type versioned interface{ versionOf() Version }

var versionRoute = define(route[versioned, none, Version]{
	Name:   "Version",
	Method: http.MethodGet,
	Path:   "/v1/version",
	Doc:    "returns the version of the program, and the id and the pid of the host",
	Serve: func(_ context.Context, h versioned, _ *none) (Version, error) {
		return h.versionOf(), nil
	},
})

func (s *handler) versionOf() Version {
	v := s.version
	v.PID = os.Getpid()
	if h, ok := s.host.(interface{ ID() string }); ok {
		v.HostID = h.ID()
	}
	return v
}

// Version returns the version of the host.
func (c *Client) Version(ctx context.Context) (Version, error) {
	return versionRoute.call(ctx, c, none{})
}
