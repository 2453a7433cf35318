package containerd

import (
	"context"
	"fmt"
	"math"
	"net"
	"sync"
	"time"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	contentapi "github.com/containerd/containerd/api/services/content/v1"
	diffapi "github.com/containerd/containerd/api/services/diff/v1"
	imagesapi "github.com/containerd/containerd/api/services/images/v1"
	leasesapi "github.com/containerd/containerd/api/services/leases/v1"
	sandboxapi "github.com/containerd/containerd/api/services/sandbox/v1"
	snapshotsapi "github.com/containerd/containerd/api/services/snapshots/v1"
	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	versionapi "github.com/containerd/containerd/api/services/version/v1"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// conn is a connection to a containerd. It reconnects by itself when the daemon comes
// back. Errors of unary calls are those of containerd/errdefs.
type conn struct {
	address    string
	cc         *grpc.ClientConn
	tasks      tasksapi.TasksClient
	containers containersapi.ContainersClient
	sandboxes  sandboxapi.StoreClient
	versions   versionapi.VersionClient
	images     imagesapi.ImagesClient
	content    contentapi.ContentClient
	leases     leasesapi.LeasesClient
	snapshots  snapshotsapi.SnapshotsClient
	diffs      diffapi.DiffClient

	mu      sync.Mutex
	peer    int   // pid at the other end, 0 if it is not known
	dials   int   // connections made so far
	dialErr error // of the last attempt
	daemon  *daemonInfo
}

// The pause between attempts to connect. containerd starts in some 30 ms.
var reconnect = backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.5, Jitter: 0.2, MaxDelay: 500 * time.Millisecond}

// headerNamespace is the header of a call with the namespace that it is about.
const headerNamespace = "containerd-namespace"

// withoutNamespace returns a context for calls about containers, of one for calls about
// images.
func withoutNamespace(ctx context.Context) context.Context {
	return metadata.NewOutgoingContext(ctx, metadata.MD{})
}

// newConn returns a connection without waiting for it.
func newConn(address, namespace string) (*conn, error) {
	c := &conn{address: address}
	withNamespace := func(ctx context.Context) context.Context {
		if md, _ := metadata.FromOutgoingContext(ctx); len(md.Get(headerNamespace)) > 0 {
			return ctx // that of images
		}
		return metadata.AppendToOutgoingContext(ctx, headerNamespace, namespace)
	}
	cc, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithAuthority("localhost"),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect, MinConnectTimeout: 5 * time.Second}),
		grpc.WithContextDialer(c.dial),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)),
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			return errgrpc.ToNative(invoke(withNamespace(ctx), method, req, reply, cc, opts...))
		}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			return open(withNamespace(ctx), desc, cc, method, opts...)
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("containerd client for %s: %w", address, err)
	}
	c.cc = cc
	c.tasks = tasksapi.NewTasksClient(cc)
	c.containers = containersapi.NewContainersClient(cc)
	c.sandboxes = sandboxapi.NewStoreClient(cc)
	c.versions = versionapi.NewVersionClient(cc)
	c.images = imagesapi.NewImagesClient(cc)
	c.content = contentapi.NewContentClient(cc)
	c.leases = leasesapi.NewLeasesClient(cc)
	c.snapshots = snapshotsapi.NewSnapshotsClient(cc)
	c.diffs = diffapi.NewDiffClient(cc)
	return c, nil
}

func (c *conn) close() error { return c.cc.Close() }

func (c *conn) dial(ctx context.Context, address string) (net.Conn, error) {
	nc, err := (&net.Dialer{}).DialContext(ctx, "unix", address)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dialErr = err
	if err != nil {
		return nil, err
	}
	c.dials++
	c.peer = 0
	if pid, _, err := linux.PeerOf(nc.(*net.UnixConn)); err == nil {
		c.peer = pid
	}
	c.daemon = nil
	return nc, nil
}

// ready waits for a connection, for at most d. The error is
// [executor.Unavailable], or that of ctx.
func (c *conn) ready(ctx context.Context, d time.Duration) error {
	wait, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for {
		state := c.cc.GetState()
		if state == connectivity.Ready {
			return nil
		}
		c.cc.Connect()
		if !c.cc.WaitForStateChange(wait, state) {
			break
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dialErr != nil {
		return executor.Errorf(executor.Unavailable, "containerd does not answer: %w (waited %v; is it running?)", c.dialErr, d)
	}
	return executor.Errorf(executor.Unavailable, "containerd does not answer at %s (waited %v)", c.address, d)
}
