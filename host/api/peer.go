package api

import (
	"context"
	"crypto/tls"
	"net"
	"os"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// peerKey is the key of the user at the other end of a connection.
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
	_, uid, err := linux.PeerOf(unix)
	if err != nil {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, uid)
}

// requireRoot refuses requests of others than root and the host's own user, also of those who
// may use the API otherwise.
func requireRoot(ctx context.Context, what string) error {
	uid, known := ctx.Value(peerKey{}).(int)
	if known && (uid == 0 || uid == os.Geteuid()) {
		return nil
	}
	return executor.Errorf(executor.FailedPrecondition, "%s: only root and the user of the host may do that, over the socket of the API", what)
}
