package api

import (
	"context"
	"net/http"
	"os"
)

// Version is what a program was built from and, of one that serves, which host
// it is.
type Version struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go,omitempty"`
	HostID  string `json:"host_id,omitempty"`
	PID     int    `json:"pid,omitempty"`
}

func (s *handler) getVersion(w http.ResponseWriter, _ *http.Request) error {
	v := s.version
	v.HostID, v.PID = s.host.ID(), os.Getpid()
	return s.answer(w, v, nil)
}

// Version gives the version of the host.
func (c *Client) Version(ctx context.Context) (v Version, err error) {
	err = c.call(ctx, http.MethodGet, "/v1/version", nil, &v)
	return v, err
}
