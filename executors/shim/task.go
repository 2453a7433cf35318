package shim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/containerd/ttrpc"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
)

const (
	// dialTimeout bounds connecting to a socket that is on this machine.
	dialTimeout = 5 * time.Second
	// askTimeout bounds calls that a healthy shim answers from memory.
	askTimeout = 5 * time.Second
	// killTimeout is how long a shim may take to kill, for which it may call its runtime.
	// A healthy one takes milliseconds. After that it is killed itself.
	killTimeout = 5 * time.Second
)

// contact is how to reach a shim.
type contact struct {
	// Address has the form unix:///PATH.
	Address string `json:"address"`
	// Version is that of the task API. The messages of 2 and 3 are the same.
	Version int `json:"version"`
}

func (c contact) socket() (string, error) {
	path, ok := strings.CutPrefix(c.Address, "unix://")
	if !ok || !strings.HasPrefix(path, "/") {
		return "", executor.Errorf(executor.Unsupported, "the shim listens at %q; only Unix sockets are supported", c.Address)
	}
	return path, nil
}

// task is a connection to the shim of a container. Its methods may be called
// concurrently. Once the shim is gone they return ttrpc.ErrClosed.
type task struct {
	client  *ttrpc.Client
	service string
	ns, cid string
	closed  chan struct{} // closed with the connection
}

// dial connects to the shim of a container. If nobody listens, gone is true for the
// error.
func dial(ctx context.Context, c contact, ns, cid string) (*task, error) {
	path, err := c.socket()
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("shim of %s: %w", cid, err)
	}
	t := &task{service: fmt.Sprintf("containerd.task.v%d.Task", c.Version), ns: ns, cid: cid, closed: make(chan struct{})}
	t.client = ttrpc.NewClient(conn, ttrpc.WithOnClose(func() { close(t.closed) }))
	return t, nil
}

func (t *task) close() { _ = t.client.Close() }

func (t *task) call(ctx context.Context, method string, req, resp proto.Message) error {
	ctx = ttrpc.WithMetadata(ctx, ttrpc.MD{"containerd-namespace-ttrpc": {t.ns}})
	err := t.client.Call(ctx, t.service, method, req, resp)
	if over := oci.Expired(ctx); err != nil && (errors.Is(err, ttrpc.ErrClosed) || over != nil) {
		return errors.Join(err, over)
	}
	return errgrpc.ToNative(err)
}

func (t *task) create(ctx context.Context, req *taskapi.CreateTaskRequest) (int, error) {
	var resp taskapi.CreateTaskResponse
	err := t.call(ctx, "Create", req, &resp)
	return int(resp.GetPid()), err
}

func (t *task) start(ctx context.Context) (int, error) {
	var resp taskapi.StartResponse
	err := t.call(ctx, "Start", &taskapi.StartRequest{ID: t.cid}, &resp)
	return int(resp.GetPid()), err
}

func (t *task) state(ctx context.Context) (*taskapi.StateResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var resp taskapi.StateResponse
	err := t.call(ctx, "State", &taskapi.StateRequest{ID: t.cid}, &resp)
	return &resp, err
}

func (t *task) wait(ctx context.Context) (*taskapi.WaitResponse, error) {
	var resp taskapi.WaitResponse
	err := t.call(ctx, "Wait", &taskapi.WaitRequest{ID: t.cid}, &resp)
	return &resp, err
}

func (t *task) kill(ctx context.Context, sig executor.Signal, all bool) error {
	if sig == syscall.SIGKILL {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, killTimeout)
		defer cancel()
	}
	return t.call(ctx, "Kill", &taskapi.KillRequest{ID: t.cid, Signal: uint32(sig), All: all}, &emptypb.Empty{})
}

func (t *task) pause(ctx context.Context) error {
	return t.call(ctx, "Pause", &taskapi.PauseRequest{ID: t.cid}, &emptypb.Empty{})
}

func (t *task) resume(ctx context.Context) error {
	return t.call(ctx, "Resume", &taskapi.ResumeRequest{ID: t.cid}, &emptypb.Empty{})
}

func (t *task) update(ctx context.Context, resources *anypb.Any) error {
	return t.call(ctx, "Update", &taskapi.UpdateTaskRequest{ID: t.cid, Resources: resources}, &emptypb.Empty{})
}

func (t *task) delete(ctx context.Context) error {
	return t.call(ctx, "Delete", &taskapi.DeleteRequest{ID: t.cid}, &taskapi.DeleteResponse{})
}

// shutdown asks the shim to end, and waits for the end of the connection.
func (t *task) shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	// A shim may end without an answer.
	err := t.call(ctx, "Shutdown", &taskapi.ShutdownRequest{ID: t.cid}, &emptypb.Empty{})
	select {
	case <-t.closed:
		return nil
	case <-ctx.Done():
		return errors.Join(err, context.Cause(ctx))
	}
}
