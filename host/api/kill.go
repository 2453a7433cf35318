package api

import (
	"context"
	"net/http"
	"syscall"

	"github.com/davit-run/davit/shared/executor"
)

type killRequest struct {
	Ref string `path:"ref" json:"-"`
	// Signal is KILL if it is left out.
	Signal signalName `json:"signal"`
}

type killer interface {
	Kill(ctx context.Context, reference string, sig executor.Signal) error
}

var killRoute = define(route[killer, killRequest, none]{
	Name:   "Kill",
	Method: http.MethodPost,
	Path:   "/v1/containers/{ref}/kill",
	Doc:    "sends a signal, KILL unless another is named, to a container's first process",
	Serve: func(ctx context.Context, h killer, r *killRequest) (none, error) {
		if r.Signal == 0 {
			r.Signal = signalName(syscall.SIGKILL)
		}
		return none{}, h.Kill(ctx, r.Ref, executor.Signal(r.Signal))
	},
})

// Kill sends a signal to a container's first process.
func (c *Client) Kill(ctx context.Context, reference string, sig executor.Signal) error {
	_, err := killRoute.call(ctx, c, killRequest{reference, signalName(sig)})
	return err
}
