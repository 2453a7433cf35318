package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/davit-run/davit/host/diag"
)

// ReloadAction is what a reload has done about a change in the config.
type ReloadAction string

const (
	ReloadAdded     ReloadAction = "added"
	ReloadRemoved   ReloadAction = "removed"
	ReloadRestarted ReloadAction = "restarted"
	ReloadChanged   ReloadAction = "changed"
	// ReloadLater means that it takes a restart of the host. What was in force stays in
	// force until then.
	ReloadLater ReloadAction = "needs a restart of the host"
)

// ReloadChange is one thing that differs in a new config.
type ReloadChange struct {
	// What has changed: "backend NAME", or an attribute such as "output.max_size".
	What   string       `json:"what"`
	Action ReloadAction `json:"action"`
	// Detail says more.
	Detail string `json:"detail,omitempty"`
	// Place is where the config says so. It is zero if no file does.
	Place diag.Range `json:"place,omitzero"`
	// Problem is what did not succeed although the config is in force. It is tried again
	// as long as it is.
	Problem string `json:"problem,omitempty"`
}

// String returns one line, such as "backend main: restarted (config)".
func (c ReloadChange) String() string {
	var b strings.Builder
	b.WriteString(c.What + ": " + string(c.Action))
	if c.Detail != "" {
		b.WriteString(" (" + c.Detail + ")")
	}
	if c.Place.File != "" {
		b.WriteString(", " + c.Place.String())
	}
	if c.Problem != "" {
		b.WriteString("; " + c.Problem)
	}
	return b.String()
}

// Reload is what a reload of the config has done.
type Reload struct {
	Changes []ReloadChange `json:"changes"`
	// Warnings are findings about the config that do not keep it from being used.
	Warnings diag.Diagnostics `json:"warnings,omitempty"`
}

type reloader interface {
	ReloadConfig(ctx context.Context) (Reload, error)
}

var reloadRoute = define(route[reloader, none, Reload]{
	Name:   "Reload",
	Method: http.MethodPost,
	Path:   "/v1/reload",
	Doc:    "reads the config again and applies what has changed; containers run on",
	Serve: func(ctx context.Context, h reloader, _ *none) (Reload, error) {
		return h.ReloadConfig(ctx)
	},
})

// Reload has the host read its config again, and apply what has changed under running
// containers. If the new config is not valid, nothing changes; the error says what is wrong,
// a line for each finding.
func (c *Client) Reload(ctx context.Context) (Reload, error) {
	return reloadRoute.call(ctx, c, none{})
}
