// Package daemon has the failpoints before and after calls to daemons and shims. It
// makes the same clients as the packages that the products use.
package daemon

import (
	"context"
	"net"
	"path"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/davit-run/davit/host/rigs/failpoint"
)

// NewGRPC is grpc.NewClient.
func NewGRPC(target string, opts ...grpc.DialOption) (*grpc.ClientConn, error) {
	return grpc.NewClient(target, append(opts, grpc.WithChainUnaryInterceptor(
		func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			return around(method, func() error { return invoke(ctx, method, req, reply, cc, opts...) })
		}))...)
}

// NewTTRPC is ttrpc.NewClient.
func NewTTRPC(conn net.Conn, opts ...ttrpc.ClientOpts) *ttrpc.Client {
	return ttrpc.NewClient(conn, append(opts, ttrpc.WithUnaryClientInterceptor(
		func(ctx context.Context, req *ttrpc.Request, resp *ttrpc.Response, info *ttrpc.UnaryClientInfo, invoke ttrpc.Invoker) error {
			return around(info.FullMethod, func() error { return invoke(ctx, req, resp) })
		}))...)
}

// around names the place for the method and for who calls it: what follows a call
// differs.
func around(method string, call func() error) error {
	place := failpoint.Place("rpc", path.Base(method)+"-"+failpoint.Caller())
	if err := failpoint.Hit(place); err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	defer failpoint.Leave(place)
	return call()
}
