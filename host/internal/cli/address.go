package cli

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

// newClient returns a client of the host that --host or DAVIT_HOST names: the path of a
// socket, or an address on TCP, for which TLS is the only way.
func (a *App) newClient() *api.Client {
	scheme, rest, ok := strings.Cut(a.socket, "://")
	switch {
	case !ok:
		return api.NewClient(a.socket)
	case scheme == "unix":
		return api.NewClient(rest)
	case scheme == "tcp" || scheme == "https":
		return api.NewTLSClient(strings.TrimSuffix(rest, "/"), a.tlsConfig)
	}
	return api.NewTLSClient(a.socket, func() (*tls.Config, error) {
		return nil, executor.Errorf(executor.Invalid, "a host cannot be reached by %s; write the path of its socket, or tcp://NAME:PORT, which is always encrypted", a.socket)
	})
}

// tlsConfig reads the certificates with which the host is reached on TCP.
func (a *App) tlsConfig() (*tls.Config, error) {
	files := api.TLSFiles{Certificate: "cert.pem", Key: "key.pem", CA: "ca.pem"}
	dir, chosen := a.tlsDir, a.tlsDir != ""
	if dir == "" {
		dir, _ = a.Env("DAVIT_CERT_PATH")
	}
	if dir == "" {
		home, _ := a.Env("HOME")
		dir = filepath.Join(home, ".davit")
	}
	missing := false
	for name, path := range map[string]*string{"DAVIT_TLS_CERT": &files.Certificate, "DAVIT_TLS_KEY": &files.Key, "DAVIT_TLS_CA": &files.CA} {
		*path = filepath.Join(dir, *path)
		if own, _ := a.Env(name); own != "" && !chosen {
			*path = own
		}
		if _, err := os.Stat(*path); err != nil {
			missing = true
		}
	}
	config, err := files.ClientConfig()
	if err != nil {
		err = fmt.Errorf("cannot connect to %s: %w", a.socket, err)
	}
	if missing {
		err = fmt.Errorf("%w; name a directory that has ca.pem, cert.pem and key.pem with --tls-dir or DAVIT_CERT_PATH, or the files with DAVIT_TLS_CERT, DAVIT_TLS_KEY and DAVIT_TLS_CA", err)
	}
	return config, err
}
