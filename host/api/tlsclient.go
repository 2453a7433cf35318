package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// NewTLSClient returns a client of the host that listens on a TCP address, NAME:PORT. The
// host's certificate must be valid for NAME, and the client needs one itself:
//
//	files := api.TLSFiles{Certificate: "cert.pem", Key: "key.pem", CA: "ca.pem"}
//	c := api.NewTLSClient("build1:7443", files.ClientConfig)
//
// config is called for each connection, so that files which were renewed are used. The
// connection has at least TLS 1.3, whatever config says. The client connects at the first
// call.
func NewTLSClient(address string, config func() (*tls.Config, error)) *Client {
	c := NewClient(address)
	c.connect = func(ctx context.Context) (net.Conn, error) { return dialTLS(ctx, address, config) }
	return c
}

// dialTime is how long a connection over TCP may take, until both ends know each other.
const dialTime = 20 * time.Second

// dialTLS connects to a TCP address. Its errors say what to do.
func dialTLS(ctx context.Context, address string, config func() (*tls.Config, error)) (net.Conn, error) {
	c, err := config()
	if err != nil {
		return nil, executor.Errorf(executor.CodeOf(err), "%w", err)
	}
	name, _, err := net.SplitHostPort(address)
	if err != nil || name == "" {
		return nil, invalid("%q is not an address with a port, such as build1:7443", address)
	}
	c = c.Clone()
	c.MinVersion = max(c.MinVersion, tls.VersionTLS13)
	if c.ServerName == "" {
		c.ServerName = name
	}
	conn, err := connectTLS(ctx, address, c)
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, syscall.ECONNREFUSED):
		err = executor.Errorf(executor.Unavailable, "cannot reach the davit host at %s: nothing listens there; does its config have api { tls { } }, and does it run?", address)
	case distrusted(err, c.ServerName) != "":
		return nil, executor.Errorf(executor.Unavailable, "the davit host at %s is not trusted: %s", address, distrusted(err, c.ServerName))
	case refusal(err) != "":
		return nil, refused(address, err)
	default:
		err = executor.Errorf(executor.Unavailable, "cannot reach the davit host at %s: %w", address, err)
	}
	return nil, &absentError{err}
}

func connectTLS(ctx context.Context, address string, c *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	return (&tls.Dialer{Config: c}).DialContext(ctx, "tcp", address)
}

// distrusted says why the client did not accept the certificate of what answers, or "".
func distrusted(err error, name string) string {
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "what answers there does not speak TLS"
	}
	failed, ok := errors.AsType[*tls.CertificateVerificationError](err)
	if !ok {
		return ""
	}
	its := failed.UnverifiedCertificates[0]
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "its certificate, of " + its.Subject.String() + ", is not signed by the CA that this client knows"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		names := its.DNSNames
		for _, ip := range its.IPAddresses {
			names = append(names, ip.String())
		}
		if len(names) == 0 {
			return "its certificate has no subjectAltName, and so it is for nobody; make one with DNS:" + name
		}
		return "its certificate is not for " + name + ", but for " + strings.Join(names, ", ") + "; use one of these names, or add " + name + " to its subjectAltName"
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
		return "its certificate is valid from " + its.NotBefore.Format(timeForm) + " to " + its.NotAfter.Format(timeForm) + "; renew it, or set the clock"
	}
	return failed.Err.Error()
}

// refusal says why the other end of a connection did not accept the client, or "". TLS tells
// it in one word, and package tls has it as text only.
func refusal(err error) string {
	alert, ok := errors.AsType[*net.OpError](err)
	if !ok || alert.Op != "remote error" {
		return ""
	}
	switch why := strings.TrimPrefix(alert.Err.Error(), "tls: "); why {
	case "certificate required":
		return "it wants a client certificate, and there is none"
	case "unknown certificate authority":
		return "its client_ca, in api { tls { } } of its config, has not signed the certificate of this client"
	case "expired certificate":
		return "the certificate of this client has expired, or one of its CA has"
	case "bad certificate":
		return "the certificate of this client is not good for that; its extendedKeyUsage must have clientAuth"
	case "protocol version not supported":
		return "it does not speak TLS 1.3"
	default:
		return why
	}
}

// refused returns the error of a client that the host has not let in. In TLS 1.3 it hears so
// after it has connected, and instead of an answer.
func refused(address string, err error) error {
	return executor.Errorf(executor.Unavailable, "the davit host at %s refuses this client: %s", address, refusal(err))
}
