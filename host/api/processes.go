package api

import (
	"context"
	"net/http"
	"time"
)

// Process is a process of a container.
type Process struct {
	// PID and Parent are pids as the host sees them.
	PID    int `json:"pid"`
	Parent int `json:"parent"`
	// UID is the user, as a number of the host's.
	UID uint32 `json:"uid"`
	// Name is the beginning of the name of the program.
	Name string `json:"name"`
	// State is a letter as in /proc/PID/stat, such as S for one that sleeps.
	State   string `json:"state"`
	Threads uint64 `json:"threads"`
	// CPU is the processor time that it has used, and those of its children for which it
	// has waited.
	CPU time.Duration `json:"cpu"`
	// Command is the command line, at most 16 KiB of it.
	Command []string `json:"command,omitempty"`
}

type processLister interface {
	Processes(ctx context.Context, reference string) ([]Process, error)
}

var processesRoute = define(route[processLister, refRequest, []Process]{
	Name:   "Processes",
	Method: http.MethodGet,
	Path:   "/v1/containers/{ref}/processes",
	Doc:    "lists the processes of a container",
	Serve: func(ctx context.Context, h processLister, r *refRequest) ([]Process, error) {
		return h.Processes(ctx, r.Ref)
	},
})

// Processes returns the processes of a container, in the order of their pids.
func (c *Client) Processes(ctx context.Context, reference string) ([]Process, error) {
	return processesRoute.call(ctx, c, refRequest{reference})
}
