package api

import (
	"context"
	"net/http"
	"time"

	"github.com/davit-run/davit/host/ocispec"
)

// EventCheckpointed occurs when a checkpoint of a container was made. Data has its name as
// checkpoint.
const EventCheckpointed = "container.checkpointed"

// CheckpointOptions say what checkpoint to make.
type CheckpointOptions struct {
	// Name is new among the container's checkpoints, and has the form of a container's.
	Name string `json:"name"`
	// LeaveRunning lets the container run on. Otherwise it ends.
	LeaveRunning bool `json:"leave_running,omitempty"`
}

// Validate checks the name.
func (o CheckpointOptions) Validate() error {
	if err := ocispec.ValidateName(o.Name); err != nil {
		return invalid("checkpoint: %w", err)
	}
	return nil
}

// Checkpoint is the state of a container's processes, which was written down.
type Checkpoint struct {
	// Name is unique among the container's checkpoints.
	Name string `json:"name"`
	// Attempt is the one that was written down. LeftRunning means that it ran on.
	Attempt     int       `json:"attempt"`
	LeftRunning bool      `json:"left_running,omitempty"`
	CreatedAt   time.Time `json:"created_at"`
}

type checkpointRequest struct {
	Ref string `path:"ref" json:"-"`
	CheckpointOptions
}

type checkpointer interface {
	CreateCheckpoint(ctx context.Context, reference string, opts CheckpointOptions) (Checkpoint, error)
}

var createCheckpointRoute = define(route[checkpointer, checkpointRequest, Checkpoint]{
	Name:      "CreateCheckpoint",
	Method:    http.MethodPost,
	Path:      "/v1/containers/{ref}/checkpoints",
	Doc:       "writes down the state of a container's processes, and ends the container unless it is to run on",
	NeedsBody: true,
	Serve: func(ctx context.Context, h checkpointer, r *checkpointRequest) (Checkpoint, error) {
		return h.CreateCheckpoint(ctx, r.Ref, r.CheckpointOptions)
	},
})

// CreateCheckpoint writes down the state of a container's processes; see the method of
// host.Host.
func (c *Client) CreateCheckpoint(ctx context.Context, reference string, opts CheckpointOptions) (Checkpoint, error) {
	return createCheckpointRoute.call(ctx, c, checkpointRequest{reference, opts})
}

type checkpointLister interface {
	Checkpoints(reference string) ([]Checkpoint, error)
}

var checkpointsRoute = define(route[checkpointLister, refRequest, []Checkpoint]{
	Name:   "Checkpoints",
	Method: http.MethodGet,
	Path:   "/v1/containers/{ref}/checkpoints",
	Doc:    "lists the checkpoints of a container, the oldest first",
	Serve: func(_ context.Context, h checkpointLister, r *refRequest) ([]Checkpoint, error) {
		return h.Checkpoints(r.Ref)
	},
})

// Checkpoints returns the checkpoints of a container, the oldest first.
func (c *Client) Checkpoints(ctx context.Context, reference string) ([]Checkpoint, error) {
	return checkpointsRoute.call(ctx, c, refRequest{reference})
}

// namedCheckpointRequest names a checkpoint of a container.
type namedCheckpointRequest struct {
	Ref  string `path:"ref" json:"-"`
	Name string `path:"name" json:"-"`
}

type checkpointRemover interface {
	RemoveCheckpoint(ctx context.Context, reference, name string) error
}

var removeCheckpointRoute = define(route[checkpointRemover, namedCheckpointRequest, none]{
	Name:   "RemoveCheckpoint",
	Method: http.MethodDelete,
	Path:   "/v1/containers/{ref}/checkpoints/{name}",
	Doc:    "removes a checkpoint of a container",
	Serve: func(ctx context.Context, h checkpointRemover, r *namedCheckpointRequest) (none, error) {
		return none{}, h.RemoveCheckpoint(ctx, r.Ref, r.Name)
	},
})

// RemoveCheckpoint removes a checkpoint of a container.
func (c *Client) RemoveCheckpoint(ctx context.Context, reference, name string) error {
	_, err := removeCheckpointRoute.call(ctx, c, namedCheckpointRequest{reference, name})
	return err
}

type checkpointStarter interface {
	StartCheckpoint(ctx context.Context, reference, name string) (Container, error)
}

var startCheckpointRoute = define(route[checkpointStarter, namedCheckpointRequest, Container]{
	Name:   "StartCheckpoint",
	Method: http.MethodPost,
	Path:   "/v1/containers/{ref}/checkpoints/{name}/start",
	Doc:    "starts a container that has ended, from one of its checkpoints",
	Serve: func(ctx context.Context, h checkpointStarter, r *namedCheckpointRequest) (Container, error) {
		return h.StartCheckpoint(ctx, r.Ref, r.Name)
	},
})

// StartCheckpoint starts a container that has ended, from one of its checkpoints; see the
// method of host.Host.
func (c *Client) StartCheckpoint(ctx context.Context, reference, name string) (Container, error) {
	return startCheckpointRoute.call(ctx, c, namedCheckpointRequest{reference, name})
}
