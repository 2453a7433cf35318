package registry

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/pelletier/go-toml/v2"
)

// certsDirs have a directory for each registry about which there is something to say, named
// HOST, HOST:PORT or, in the first form of containerd's, HOST_PORT_. The first one that exists
// counts. In it are containerd's hosts.toml, and docker's NAME.crt, and NAME.cert with
// NAME.key. containerd, nerdctl and docker look there too.
var certsDirs = []string{"/etc/containerd/certs.d", "/etc/docker/certs.d"}

// anyHost is the directory for the registries that have none.
const anyHost = "_default"

// server is where a registry, or a mirror of it, is reached.
type server struct {
	base   string // URL, without a slash at the end; repositories follow
	host   string
	can    []string // of capabilities
	header http.Header
	tls    *tls.Config // nil for the usual one
	// dialing and answering are how long it may take to be reached, and to begin its answer;
	// 0 is as usual.
	dialing, answering time.Duration
}

// What a server can be asked for: to find out what a tag means, and for what a digest means.
const (
	canResolve = "resolve"
	canPull    = "pull"
	canPush    = "push"
)

// hostsFile is containerd's hosts.toml.
type hostsFile struct {
	Server string `toml:"server"`
	hostFields
	Hosts map[string]hostFields `toml:"host"`
}

type hostFields struct {
	Capabilities []string       `toml:"capabilities"`
	CA           any            `toml:"ca"`
	Client       any            `toml:"client"`
	SkipVerify   bool           `toml:"skip_verify"`
	OverridePath bool           `toml:"override_path"`
	Header       map[string]any `toml:"header"`
	DialTimeout  string         `toml:"dial_timeout"`
}

// servers returns where a registry is, and its mirrors in the order in which they are asked.
func servers(host, scheme string) (own server, mirrors []server, err error) {
	own = server{base: scheme + "://" + host + "/v2", host: host, can: []string{canResolve, canPull, canPush}}
	dir := certsDir(host)
	if dir == "" {
		return own, nil, nil
	}
	fail := func(err error) (server, []server, error) {
		return own, nil, executor.Errorf(executor.FailedPrecondition, "registry %s: %s: %w", host, dir, err)
	}
	pool, pairs, err := dockerCertificates(dir)
	if err != nil {
		return fail(err)
	}
	text, err := linux.ReadFile(filepath.Join(dir, "hosts.toml"), 1<<20)
	var file hostsFile
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	case err != nil:
		err = fmt.Errorf(": %w", err)
	default:
		err = placed(toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&file))
	}
	if err != nil {
		return fail(fmt.Errorf("hosts.toml%w", err))
	}
	if file.Server == "" {
		file.Server = scheme + "://" + host
	}
	if own, err = file.at(dir, file.Server, pool, pairs); err != nil {
		return fail(fmt.Errorf("hosts.toml: server: %w", err))
	}
	for _, name := range inOrder(text, file.Hosts) {
		mirror, err := file.Hosts[name].at(dir, name, pool, pairs)
		if err != nil {
			return fail(fmt.Errorf("hosts.toml: host %q: %w", name, err))
		}
		mirrors = append(mirrors, mirror)
	}
	return own, mirrors, nil
}

// placed returns the error for a file that cannot be decoded, with the line where, in the form
// ":LINE: ERROR".
func placed(err error) error {
	if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok && len(strict.Errors) > 0 {
		first := strict.Errors[0]
		line, _ := first.Position()
		key := first.Key()
		return fmt.Errorf(":%d: there is no field %q", line, key[len(key)-1])
	}
	if wrong, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, _ := wrong.Position()
		return fmt.Errorf(":%d: %w", line, err)
	}
	if err != nil {
		return fmt.Errorf(": %w", err)
	}
	return nil
}

// certsDir returns the directory for a registry, or "".
func certsDir(host string) string {
	name, port, _ := strings.Cut(host, ":")
	names := []string{host}
	if port != "" {
		names = append(names, name+"_"+port+"_")
	}
	for _, name := range append(names, anyHost) {
		for _, dir := range certsDirs {
			at := filepath.Join(dir, name)
			if st, err := os.Stat(at); err == nil && st.IsDir() {
				return at
			}
		}
	}
	return ""
}

// inOrder returns the names of hosts in the order of the file, which is that of preference.
func inOrder(text []byte, hosts map[string]hostFields) []string {
	names := make([]string, 0, len(hosts))
	for name := range hosts {
		names = append(names, name)
	}
	at := func(name string) int {
		for _, quote := range []string{`"`, `'`, ``} {
			if i := bytes.Index(text, []byte("host."+quote+name+quote)); i >= 0 {
				return i
			}
		}
		return len(text)
	}
	slices.SortFunc(names, func(a, b string) int { return at(a) - at(b) })
	return names
}

// at returns the server at a URL.
func (f hostFields) at(dir, address string, pool *x509.CertPool, pairs []tls.Certificate) (server, error) {
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.User != nil {
		return server{}, fmt.Errorf("%q is not a URL such as https://mirror.example:5000", address)
	}
	s := server{host: u.Host, base: strings.TrimRight(u.Scheme+"://"+u.Host+u.Path, "/"), can: f.Capabilities, header: http.Header{}}
	if !f.OverridePath && !strings.HasSuffix(s.base, "/v2") {
		s.base += "/v2"
	}
	if len(s.can) == 0 {
		s.can = []string{canResolve, canPull, canPush}
	}
	for _, c := range s.can {
		if c != canResolve && c != canPull && c != canPush {
			return server{}, fmt.Errorf("capability %q is none of %s, %s and %s", c, canPull, canResolve, canPush)
		}
	}
	if f.DialTimeout != "" {
		if s.dialing, err = time.ParseDuration(f.DialTimeout); err != nil {
			return server{}, fmt.Errorf("dial_timeout: %w", err)
		}
	}
	for name, value := range f.Header {
		all, err := stringsOf(value)
		if err != nil {
			return server{}, fmt.Errorf("header %q: %w", name, err)
		}
		s.header[http.CanonicalHeaderKey(name)] = all
	}
	if s.tls, err = f.tlsConfig(dir, pool, pairs); err != nil {
		return server{}, err
	}
	return s, nil
}

// tlsConfig returns how a server is trusted, or nil for as usual.
func (f hostFields) tlsConfig(dir string, pool *x509.CertPool, pairs []tls.Certificate) (*tls.Config, error) {
	authorities, err := stringsOf(f.CA)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	for _, path := range authorities {
		if pool, err = addAuthority(pool, inDir(dir, path)); err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
	}
	clients, err := pairsOf(f.Client)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	for _, files := range clients {
		pair, err := tls.LoadX509KeyPair(inDir(dir, files[0]), inDir(dir, files[1]))
		if err != nil {
			return nil, fmt.Errorf("client: %w", err)
		}
		pairs = append(slices.Clone(pairs), pair)
	}
	if pool == nil && len(pairs) == 0 && !f.SkipVerify {
		return nil, nil
	}
	return &tls.Config{RootCAs: pool, Certificates: pairs, InsecureSkipVerify: f.SkipVerify}, nil //nolint:gosec // whoever writes that file asks for it
}

func inDir(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// stringsOf reads a text or a list of texts. Nothing is none.
func stringsOf(v any) ([]string, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return []string{v}, nil
	case []any:
		all := make([]string, len(v))
		for i, e := range v {
			text, ok := e.(string)
			if !ok {
				return nil, fmt.Errorf("%v is no text", e)
			}
			all[i] = text
		}
		return all, nil
	}
	return nil, fmt.Errorf("%v is neither a text nor a list of texts", v)
}

// pairsOf reads the files of client certificates, and those of their keys: one file with both,
// a list of such files, or a list of pairs.
func pairsOf(v any) (pairs [][2]string, err error) {
	list, ok := v.([]any)
	if !ok {
		all, err := stringsOf(v)
		for _, file := range all {
			pairs = append(pairs, [2]string{file, file})
		}
		return pairs, err
	}
	for _, e := range list {
		files, err := stringsOf(e)
		switch {
		case err != nil:
			return nil, err
		case len(files) == 1:
			files = append(files, files[0])
		case len(files) == 2 && files[1] == "":
			files[1] = files[0]
		case len(files) != 2:
			return nil, fmt.Errorf("%v is not a certificate and its key", e)
		}
		pairs = append(pairs, [2]string(files))
	}
	return pairs, nil
}

// dockerCertificates returns what docker reads from such a directory: authorities in NAME.crt,
// and certificates of the client in NAME.cert with NAME.key.
func dockerCertificates(dir string) (pool *x509.CertPool, pairs []tls.Certificate, err error) {
	authorities, _ := filepath.Glob(filepath.Join(dir, "*.crt"))
	for _, path := range authorities {
		if pool, err = addAuthority(pool, path); err != nil {
			return nil, nil, err
		}
	}
	clients, _ := filepath.Glob(filepath.Join(dir, "*.cert"))
	for _, path := range clients {
		pair, err := tls.LoadX509KeyPair(path, strings.TrimSuffix(path, ".cert")+".key")
		if err != nil {
			return nil, nil, err
		}
		pairs = append(pairs, pair)
	}
	return pool, pairs, nil
}

// addAuthority adds to a pool, or to those of this machine if it is nil.
func addAuthority(pool *x509.CertPool, path string) (*x509.CertPool, error) {
	if pool == nil {
		var err error
		if pool, err = x509.SystemCertPool(); err != nil {
			pool = x509.NewCertPool()
		}
	} else {
		pool = pool.Clone()
	}
	text, err := linux.ReadFile(path, 1<<20)
	if err != nil {
		return nil, err
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate in PEM", path)
	}
	return pool, nil
}
