package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// ProfileOptions say what to profile of a host.
type ProfileOptions struct {
	// Seconds is for how long profile (of the processor) and trace are taken, from 1 to
	// MaxProfileSeconds; 0 means DefaultProfileSeconds. Other profiles take no time.
	Seconds int
	// Debug, if not 0, asks for text instead of the format of pprof: 1, or 2 for goroutines
	// with their stacks.
	Debug int
}

// Bounds of ProfileOptions.
const (
	DefaultProfileSeconds = 30
	MaxProfileSeconds     = 600
)

// Duration returns Seconds, or its default.
func (o ProfileOptions) Duration() time.Duration {
	if o.Seconds == 0 {
		return DefaultProfileSeconds * time.Second
	}
	return time.Duration(o.Seconds) * time.Second
}

// profileStream is the type of replies that are profiles.
type profileStream struct{}

type profiler interface {
	Profile(ctx context.Context, name string, opts ProfileOptions, w io.Writer) error
}

type profileRequest struct {
	Name    string `path:"profile" json:"-"`
	Seconds int    `query:"seconds" json:"-"`
	Debug   int    `query:"debug" json:"-"`
}

var profileRoute = define(route[profiler, profileRequest, profileStream]{
	Name:   "Profile",
	Method: http.MethodGet,
	Path:   "/debug/pprof/{profile}",
	Doc:    "takes a profile of the host, for go tool pprof: profile, trace, heap, goroutine, allocs, block, mutex or threadcreate",
	Stream: func(ctx context.Context, h profiler, r *profileRequest, w http.ResponseWriter) error {
		if err := requireRoot(ctx, "profile"); err != nil {
			return err
		}
		if r.Seconds < 0 || r.Seconds > MaxProfileSeconds {
			return executor.Errorf(executor.Invalid, "parameter seconds: %d is not within 1 to %d", r.Seconds, MaxProfileSeconds)
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		return h.Profile(ctx, r.Name, ProfileOptions{Seconds: r.Seconds, Debug: r.Debug}, w)
	},
})

// Profile takes a profile of the host, and writes it to w. The error is
// [executor.FailedPrecondition] for others than root, and [executor.Unsupported] if the host's
// config does not allow it.
func (c *Client) Profile(ctx context.Context, name string, opts ProfileOptions, w io.Writer) error {
	resp, err := profileRoute.open(ctx, c, profileRequest{Name: name, Seconds: opts.Seconds, Debug: opts.Debug})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(w, resp.Body); err != nil {
		return c.broken(ctx, http.MethodGet, err)
	}
	return nil
}
