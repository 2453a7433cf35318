package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// Progress says how far the load of an image has come.
type Progress struct {
	// Step is what is done, such as [StepRead].
	Step string `json:"step"`
	// What is a layer, by its digest, where the step is about one.
	What string `json:"what,omitempty"`
	// Done and Total are in bytes, or layers for [StepUnpack]. Total is 0 if it is not known.
	Done  int64 `json:"done"`
	Total int64 `json:"total,omitempty"`
}

// Steps of a load.
const (
	StepRead   = "reading"
	StepUnpack = "unpacking"
)

// LoadOptions say what to load of an archive.
type LoadOptions struct {
	// Platform is the platform of the image, where the archive has several; empty means that
	// of the host.
	Platform string
}

// imageStream is the type of replies that are progress, one JSON object a line, with the
// images in the last one.
type imageStream struct{}

// imageLine is a line of such a reply. One member is set.
type imageLine struct {
	Progress *Progress `json:"progress,omitempty"`
	Images   []Image   `json:"images,omitempty"`
	Error    *failure  `json:"error,omitempty"`
}

type loadRequest struct {
	Platform string    `query:"platform" json:"-"`
	Archive  io.Reader `stream:"application/x-tar" json:"-"`
}

type imageLoader interface {
	LoadImages(ctx context.Context, archive io.Reader, opts LoadOptions, progress func(Progress)) ([]Image, error)
}

var loadRoute = define(route[imageLoader, loadRequest, imageStream]{
	Name:   "LoadImages",
	Method: http.MethodPost,
	Path:   "/v1/images/load",
	Doc:    "loads the images of an archive, and streams the progress, one JSON object a line, and then the images",
	Stream: func(ctx context.Context, h imageLoader, r *loadRequest, w http.ResponseWriter) error {
		return streamImages(ctx, w, r.Archive, func(progress func(Progress)) ([]Image, error) {
			return h.LoadImages(ctx, r.Archive, LoadOptions{Platform: r.Platform}, progress)
		})
	},
})

// LoadImages loads the images of an archive: an OCI layout, or what `docker save` writes.
// progress may be nil. It is called by one goroutine at a time.
func (c *Client) LoadImages(ctx context.Context, archive io.Reader, opts LoadOptions, progress func(Progress)) ([]Image, error) {
	return c.receiveImages(ctx, archive, func(body io.Reader) (*http.Response, error) {
		return loadRoute.open(ctx, c, loadRequest{opts.Platform, body})
	}, progress)
}

// ImportOptions describe the image that is made of a root file system.
type ImportOptions struct {
	// Name of the image; empty means that it has none.
	Name string
	// Platform is what the files were built for; empty means that of the host.
	Platform string
	// Changes are instructions of a Dockerfile for the config of the image; see
	// [CommitOptions].
	Changes []string
	// Message stands in the history of the image; empty is a word of the host's.
	Message string
}

type importRequest struct {
	Name     string    `query:"name" json:"-"`
	Platform string    `query:"platform" json:"-"`
	Changes  []string  `query:"change" json:"-"`
	Message  string    `query:"message" json:"-"`
	Archive  io.Reader `stream:"application/x-tar" json:"-"`
}

type imageImporter interface {
	ImportImage(ctx context.Context, archive io.Reader, opts ImportOptions, progress func(Progress)) (Image, error)
}

var importRoute = define(route[imageImporter, importRequest, imageStream]{
	Name:   "ImportImage",
	Method: http.MethodPost,
	Path:   "/v1/images/import",
	Doc:    "makes an image of a root file system in an archive, and streams the progress, one JSON object a line, and then the image",
	Stream: func(ctx context.Context, h imageImporter, r *importRequest, w http.ResponseWriter) error {
		return streamImages(ctx, w, r.Archive, func(progress func(Progress)) ([]Image, error) {
			image, err := h.ImportImage(ctx, r.Archive, ImportOptions{r.Name, r.Platform, r.Changes, r.Message}, progress)
			return []Image{image}, err
		})
	},
})

// ImportImage makes an image of the root file system in a tar archive. progress may be nil.
// It is called by one goroutine at a time.
func (c *Client) ImportImage(ctx context.Context, archive io.Reader, opts ImportOptions, progress func(Progress)) (Image, error) {
	images, err := c.receiveImages(ctx, archive, func(body io.Reader) (*http.Response, error) {
		return importRoute.open(ctx, c, importRequest{opts.Name, opts.Platform, opts.Changes, opts.Message, body})
	}, progress)
	if err != nil || len(images) == 0 {
		return Image{}, err
	}
	return images[0], nil
}

// progressPause is the least time between two lines of progress in one step.
const progressPause = 100 * time.Millisecond

// streamImages sends what load reports as a response. It reads what load has left of the
// body, so that the client finds the answer and no broken connection.
func streamImages(ctx context.Context, w http.ResponseWriter, body io.Reader, load func(func(Progress)) ([]Image, error)) error {
	rc := http.NewResponseController(w)
	var mu sync.Mutex
	begun := false
	send := func(l imageLine) error {
		line, err := encode(l)
		if err != nil {
			return err
		}
		if !begun {
			begun = true
			w.Header().Set("Content-Type", "application/x-ndjson")
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
		return rc.Flush()
	}
	sent := map[string]time.Time{} // by step and what it is about
	images, err := load(func(p Progress) {
		mu.Lock()
		defer mu.Unlock()
		about := p.Step + p.What
		if time.Since(sent[about]) < progressPause && p.Done != p.Total {
			return
		}
		sent[about] = time.Now()
		_ = send(imageLine{Progress: &p}) // fails if the client has gone, which ends ctx
	})
	mu.Lock()
	defer mu.Unlock()
	switch {
	case err == nil:
		err = send(imageLine{Images: images})
	case begun:
		_ = send(imageLine{Error: failureOf(cause(ctx, err))}) // fails if the client has gone
		_ = rc.SetReadDeadline(time.Now().Add(drainTime))
		_, _ = io.Copy(io.Discard, body)
		return nil
	}
	return err
}

// receiveImages makes a request with a stream as its body, and reads the reply.
func (c *Client) receiveImages(ctx context.Context, archive io.Reader, open func(io.Reader) (*http.Response, error), progress func(Progress)) ([]Image, error) {
	body := &interruptible{r: archive}
	resp, err := open(body)
	if err != nil {
		return nil, err
	}
	defer body.end()
	return c.readImages(ctx, resp, progress, body.failed)
}

// readImages reads a reply. failed returns the error with which the request's body could not
// be read, if any.
func (c *Client) readImages(ctx context.Context, resp *http.Response, progress func(Progress), failed func() error) ([]Image, error) {
	defer resp.Body.Close()
	dec := json.NewDecoder(resp.Body)
	for {
		var line imageLine
		err := dec.Decode(&line)
		switch {
		case failed() != nil:
			return nil, failed()
		case errors.Is(err, io.EOF):
			return nil, c.broken(ctx, http.MethodPost, io.ErrUnexpectedEOF)
		case err != nil:
			return nil, c.broken(ctx, http.MethodPost, err)
		case line.Error != nil:
			return nil, line.Error.err()
		case line.Progress != nil:
			if progress != nil {
				progress(*line.Progress)
			}
		default:
			return line.Images, nil
		}
	}
}

// interruptible is a body that ends when nobody wants the rest of it, and that knows
// whether it could not be read. It is safe for concurrent use.
type interruptible struct {
	r io.Reader

	mu   sync.Mutex
	over bool
	err  error
}

// Read implements io.Reader.
func (b *interruptible) Read(p []byte) (int, error) {
	b.mu.Lock()
	over := b.over || b.r == nil
	b.mu.Unlock()
	if over {
		return 0, io.EOF
	}
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.mu.Lock()
		b.err = err
		b.mu.Unlock()
	}
	return n, err
}

func (b *interruptible) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
}

func (b *interruptible) failed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}
