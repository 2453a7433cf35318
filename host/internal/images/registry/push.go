package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// commitStalls is how many times longer a registry may be silent when it has all of a blob
// than before. Some copy it to where they keep it.
const commitStalls = 10

// Has reports whether the repository has a blob.
func (r *Repository) Has(ctx context.Context, d digest.Digest) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*r.stall)
	defer cancel()
	path := "/blobs/" + d.String()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, r.base+path, nil)
	if err != nil {
		return false, executor.Errorf(executor.Invalid, "registry %s: %w", r.host, err)
	}
	resp, err := r.do(req, path)
	if executor.CodeOf(err) == executor.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, resp.Body.Close()
}

// Push sends a blob, which open opens. With from, the name of another repository of the
// registry, it asks the registry to take it from there first. A connection over which
// nothing goes for a while ends.
func (r *Repository) Push(ctx context.Context, d v1.Descriptor, from string, open func() (io.ReadCloser, error), sent func(n int64)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(2*r.stall, func() {
		cancel(executor.Errorf(executor.Unavailable, "registry %s: blob %s: the registry took nothing for a while", r.host, d.Digest))
	})
	defer watch.Stop()
	to, err := r.begin(ctx, d.Digest, from)
	if to == nil || err != nil {
		return err
	}
	body := func() (io.ReadCloser, error) {
		f, err := open()
		if err != nil {
			return nil, err
		}
		return &sending{ReadCloser: f, sent: func(n int64, all bool) {
			stall := r.stall
			if all {
				stall *= commitStalls
			}
			watch.Reset(stall)
			sent(n)
		}, size: d.Size}, nil
	}
	first, err := body()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, to.String(), first)
	if err != nil {
		_ = first.Close()
		return executor.Errorf(executor.Invalid, "registry %s: %w", r.host, err)
	}
	req.ContentLength, req.GetBody = d.Size, body
	if d.Size == 0 { // else it would be of a length that is not known
		_ = first.Close()
		req.Body, req.GetBody = http.NoBody, nil
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := r.do(req, "/blobs/"+d.Digest.String())
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// begin asks where a blob is to be sent. It returns nil if the registry has taken it from
// another repository.
func (r *Repository) begin(ctx context.Context, d digest.Digest, from string) (*url.URL, error) {
	query := ""
	if from != "" {
		query = "?" + url.Values{"mount": {d.String()}, "from": {from}}.Encode()
		ctx = auth.AppendScopesForHost(ctx, r.host, auth.ScopeRepository(from, auth.ActionPull))
	}
	const path = "/blobs/uploads/"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.base+path+query, http.NoBody)
	if err != nil {
		return nil, executor.Errorf(executor.Invalid, "registry %s: %w", r.host, err)
	}
	resp, err := r.do(req, path)
	if err != nil && from != "" && executor.CodeOf(err) != executor.Unavailable && ctx.Err() == nil {
		return r.begin(ctx, d, "") // it may not be allowed to take it
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if from != "" && resp.StatusCode == http.StatusCreated {
		return nil, nil
	}
	to, err := resp.Location()
	if err != nil {
		return nil, executor.Errorf(executor.Unavailable, "registry %s: it does not say where to send a blob: %w", r.host, err)
	}
	if req.URL.Scheme == "https" {
		to.Scheme = "https" // one behind a proxy may not know
	}
	q := to.Query()
	q.Set("digest", d.String())
	to.RawQuery = q.Encode()
	return to, nil
}

// PushManifest sends a manifest, under a tag.
func (r *Repository) PushManifest(ctx context.Context, tag, mediaType string, raw []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 2*r.stall)
	defer cancel()
	path := "/manifests/" + tag
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, r.base+path, bytes.NewReader(raw))
	if err != nil {
		return executor.Errorf(executor.Invalid, "registry %s: %w", r.host, err)
	}
	req.Header.Set("Content-Type", mediaType)
	resp, err := r.do(req, path)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// sending is a blob that tells how much of it was read, and whether that is all.
type sending struct {
	io.ReadCloser
	n, size int64
	sent    func(n int64, all bool)
}

// Read implements io.Reader.
func (s *sending) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.n += int64(n)
	switch {
	case err == nil || errors.Is(err, io.EOF):
		s.sent(s.n, s.n >= s.size)
	default:
		err = fmt.Errorf("reading it here: %w", err)
	}
	return n, err
}
