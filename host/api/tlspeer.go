package api

import (
	"context"
	"crypto/tls"
	"net/http"
)

// clientKey is the key of the name in the certificate of a client.
type clientKey struct{}

// withCertificate notes who has connected to a [TLSListener]. A client with a certificate
// counts as root: that is what it can become by means of the API.
func withCertificate(ctx context.Context, conn *tls.Conn) context.Context {
	chains := conn.ConnectionState().VerifiedChains
	if len(chains) == 0 { // not one of ListenTLS
		return ctx
	}
	return context.WithValue(WithCaller(ctx, Caller{UID: 0, GID: 0}), clientKey{}, commonName(chains[0][0]))
}

// logOf returns how a request is logged, and the name of its client as a pair, if it has one.
// What such a client changes is more than a detail: the log says who did it.
func (s *handler) logOf(r *http.Request) (log func(string, ...any), client []any) {
	name, ok := r.Context().Value(clientKey{}).(string)
	if !ok {
		return s.logger.Debug, nil
	}
	if l, ok := s.logger.(interface{ Info(string, ...any) }); ok && r.Method != http.MethodGet {
		return l.Info, []any{"client", name}
	}
	return s.logger.Debug, []any{"client", name}
}
