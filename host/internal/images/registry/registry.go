// Package registry fetches images from registries, and sends them there, as the OCI
// distribution spec has it.
//
// Authentication, docker's config.json with its credential helpers, and retries of requests
// that were refused are those of oras-go. What a connection has brought before it broke is
// kept, also by the next host, and the rest of it asked for. What is sent begins anew.
//
// Where a registry is, its mirrors and whom it is trusted by are in containerd's hosts.toml, or
// in docker's certs.d, for those who have them; see certsDirs. What has no meaning there is an
// error.
//
// Credentials are those of the user that the host runs as, and never a client's: [Login]
// keeps them where a pull finds them, in $DOCKER_CONFIG or ~/.docker, or by a helper.
package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/davit-run/davit/host/internal/images/manifest"
	"github.com/davit-run/davit/shared/executor"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/errcode"
	"oras.land/oras-go/v2/registry/remote/retry"
)

// dockerHost is where the registry of docker.io is.
const dockerHost = "registry-1.docker.io"

// Repository is a repository of a registry. It is safe for concurrent use.
type Repository struct {
	client *auth.Client
	// once is a client that makes no request again: what was to be sent goes elsewhere then.
	once *auth.Client
	base string // URL, without a slash at the end
	name string
	host string
	// actions are what is to be done there, for which it is asked for tokens.
	actions []string
	// stall is how long a connection may bring nothing.
	stall  time.Duration
	header http.Header // of each request
	// query is that of requests to a mirror: for which registry it is asked.
	query string
	// mirrors are asked first, as far as they can, until they fail. A mirror has none.
	mirrors []*mirror
}

// What is done with a repository.
const (
	Pull = auth.ActionPull
	Push = auth.ActionPush
)

// Open returns the repository that a name is in, for some actions. It makes no request.
// Registries on this machine are asked without TLS, others with it, unless a file of
// containerd's or docker's says otherwise; see certsDirs.
func Open(named reference.Named, actions ...string) (*Repository, error) {
	host, scheme := reference.Domain(named), "https"
	named = reference.TrimNamed(named)
	if loopback(host) {
		scheme = "http"
	}
	own, mirrors, err := servers(host, scheme)
	if err != nil {
		return nil, err
	}
	if own.host == "docker.io" {
		own.host, own.base = dockerHost, "https://"+dockerHost+"/v2"
	}
	store, err := openCredentials(credentials.StoreOptions{})
	if err != nil {
		return nil, err
	}
	r := open(own, named, store, actions)
	again := *r.once
	again.Client = &http.Client{Transport: retry.NewTransport(r.once.Client.Transport)}
	r.client = &again
	for _, m := range mirrors {
		m.dialing, m.answering = cmp.Or(m.dialing, mirrorTime), mirrorTime
		copies := &mirror{Repository: open(m, named, store, actions), can: m.can}
		copies.query = "?" + url.Values{"ns": {host}}.Encode() // as containerd says it
		r.mirrors = append(r.mirrors, copies)
	}
	return r, nil
}

// open returns a repository on a server, which makes no request again.
func open(s server, named reference.Named, store *credentials.DynamicStore, actions []string) *Repository {
	client := &auth.Client{Client: &http.Client{Transport: s.transport()}, Cache: auth.NewCache(), Credential: credentials.Credential(store)}
	client.SetUserAgent("davit")
	return &Repository{
		client: client, once: client, base: s.base + "/" + reference.Path(named), name: reference.Path(named), host: s.host,
		actions: actions, stall: 30 * time.Second, header: s.header,
	}
}

// transport returns the usual one if nothing is said of the server.
func (s server) transport() http.RoundTripper {
	if s.tls == nil && s.dialing == 0 && s.answering == 0 {
		return http.DefaultTransport
	}
	own := http.DefaultTransport.(*http.Transport).Clone()
	own.TLSClientConfig, own.ResponseHeaderTimeout = s.tls, s.answering
	if s.dialing > 0 {
		own.DialContext = (&net.Dialer{Timeout: s.dialing}).DialContext
	}
	return own
}

// loopback reports whether a registry is on this machine.
func loopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	ip := net.ParseIP(strings.Trim(name, "[]"))
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

// get makes a request, of mirrors first. The caller closes the body.
func (r *Repository) get(ctx context.Context, path string, header http.Header) (*http.Response, error) {
	var tried []error
	for _, m := range r.mirrors {
		resp, err := m.ask(ctx, path, header)
		if resp != nil || ctx.Err() != nil {
			return resp, err
		}
		if err != nil {
			tried = append(tried, err)
		}
	}
	resp, err := r.getHere(ctx, path, header)
	if err != nil && len(tried) > 0 {
		err = executor.Errorf(executor.CodeOf(err), "%w; before that, mirrors: %w", err, errors.Join(tried...))
	}
	return resp, err
}

func (r *Repository) getHere(ctx context.Context, path string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base+path+r.query, nil)
	if err != nil {
		return nil, executor.Errorf(executor.Invalid, "registry %s: %w", r.host, err)
	}
	maps.Copy(req.Header, header)
	return r.do(req, path)
}

// do makes a request about something, which errors name. An answer that is no success is an
// error, but for one that a range is of no use. The caller closes the body.
func (r *Repository) do(req *http.Request, what string) (*http.Response, error) {
	ctx := auth.AppendScopesForHost(req.Context(), r.host, auth.ScopeRepository(r.name, r.actions...))
	maps.Copy(req.Header, r.header)
	client := r.client
	if req.Method == http.MethodPut {
		client = r.once
	}
	resp, err := client.Do(req.WithContext(ctx))
	if err != nil {
		return nil, r.explain(ctx, err)
	}
	if resp.StatusCode/100 == 2 || resp.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return resp, nil
	}
	defer resp.Body.Close()
	code := executor.Unavailable
	advice := ""
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		code, advice = executor.FailedPrecondition, "; it may not exist, or need credentials: log in with davit login"
	case http.StatusNotFound:
		code = executor.NotFound
	case http.StatusTooManyRequests:
		advice = "; it limits how often it is asked: try again later, or log in"
	case http.StatusRequestTimeout:
	default:
		if resp.StatusCode/100 == 4 { // it would be refused again
			code = executor.FailedPrecondition
		}
	}
	return nil, executor.Errorf(code, "registry %s: %s: %s%s%s", r.host, r.name+what, strings.ToLower(http.StatusText(resp.StatusCode)), reason(resp.Body), advice)
}

// reason returns what a registry says of why it refuses something, if it does.
func reason(body io.Reader) string {
	var said struct {
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	if err := json.NewDecoder(io.LimitReader(body, 64<<10)).Decode(&said); err != nil || len(said.Errors) == 0 || said.Errors[0].Message == "" {
		return ""
	}
	return fmt.Sprintf(" (it says %q)", said.Errors[0].Message)
}

func (r *Repository) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, auth.ErrBasicCredentialNotFound) {
		return executor.Errorf(executor.FailedPrecondition, "registry %s: it needs credentials; log in with davit login", r.host)
	}
	if refused, ok := errors.AsType[*errcode.ErrorResponse](err); ok && refused.StatusCode/100 == 4 && refused.StatusCode != http.StatusTooManyRequests {
		return executor.Errorf(executor.FailedPrecondition, "registry %s: it gives no token: %w; log in with davit login", r.host, err)
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return executor.Errorf(executor.Unavailable, "registry %s: %w", r.host, err)
}

// Manifest fetches a manifest or an index by a tag or a digest. size is how large it may
// be; 0 means the limit of all.
func (r *Repository) Manifest(ctx context.Context, ref string, size int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*r.stall)
	defer cancel()
	resp, err := r.get(ctx, "/manifests/"+ref, http.Header{"Accept": manifest.Accept})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if size == 0 || size > manifest.MaxSize {
		size = manifest.MaxSize
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, size+1))
	if err != nil {
		return nil, r.explain(ctx, fmt.Errorf("manifest %s: %w", ref, err))
	}
	if int64(len(raw)) > size {
		return nil, executor.Errorf(executor.Invalid, "registry %s: what it sent as manifest %s has more than %d bytes", r.host, ref, size)
	}
	if d, err := digest.Parse(ref); err == nil && digest.FromBytes(raw) != d {
		return nil, executor.Errorf(executor.Invalid, "registry %s: what it sent as manifest %s is %s", r.host, d, digest.FromBytes(raw))
	}
	return raw, nil
}

// ErrFromStart means that what there is of a blob is of no use.
var ErrFromStart = errors.New("the registry sends it from its start")

// Blob fetches a blob from an offset, and writes it to w. The error is [ErrFromStart] if the
// registry does not send parts; then nothing was written. A connection that brings nothing
// for a while ends.
func (r *Repository) Blob(ctx context.Context, d digest.Digest, from int64, w io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(r.stall, func() {
		cancel(executor.Errorf(executor.Unavailable, "registry %s: blob %s: nothing came for %s", r.host, d, r.stall))
	})
	defer watch.Stop()
	header := http.Header{}
	if from > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	resp, err := r.get(ctx, "/blobs/"+d.String(), header)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if from > 0 && (resp.StatusCode != http.StatusPartialContent || !strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", from))) {
		return ErrFromStart
	}
	body := &watched{resp.Body, func() { watch.Reset(r.stall) }, nil}
	if _, err := io.Copy(w, body); err != nil {
		if body.err == nil { // it is the writer's
			return err
		}
		return r.explain(ctx, fmt.Errorf("blob %s: %w", d, err))
	}
	return nil
}

// watched is a reader that tells when something has come, and whether it has failed.
type watched struct {
	r    io.Reader
	came func()
	err  error
}

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if n > 0 {
		w.came()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}
