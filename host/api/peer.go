package api

import (
	"context"
	"crypto/tls"
	"net"
	"os"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// Caller is the process that has connected to the API's socket: its user and groups as they
// were then. A client with a certificate counts as root.
type Caller struct {
	UID, GID int
	// Groups are the supplementary groups.
	Groups []int
}

// Almighty reports whether nothing limits a caller: root and the host's own user.
func (c Caller) Almighty() bool { return c.UID == 0 || c.UID == os.Geteuid() }

// peerKey is the key of the Caller at the other end of a connection.
type peerKey struct{}

// withPeer is the ConnContext of an http.Server. It notes who has connected to a Unix socket,
// or with a certificate.
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	if encrypted, ok := conn.(*tls.Conn); ok {
		return withCertificate(ctx, encrypted)
	}
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return ctx
	}
	ids, err := linux.PeerIDs(unix)
	if err != nil {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, Caller{UID: ids.UID, GID: ids.GID, Groups: ids.Groups})
}

// CallerOf returns who makes the request that ctx is of. It is not known of requests that came
// neither over a Unix socket nor with a certificate, and of calls within a program.
func CallerOf(ctx context.Context) (c Caller, known bool) {
	c, known = ctx.Value(peerKey{}).(Caller)
	return c, known
}

// WithCaller returns a context of requests of a caller.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, peerKey{}, c)
}

// requireRoot refuses requests of others than root and the host's own user, also of those who
// may use the API otherwise.
func requireRoot(ctx context.Context, what string) error {
	if caller, known := CallerOf(ctx); known && caller.Almighty() {
		return nil
	}
	return executor.Errorf(executor.FailedPrecondition, "%s: only root and the user of the host may do that, over the socket of the API", what)
}
