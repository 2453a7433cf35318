package api

import (
	"context"
	"io"
	"net/http"
)

// CopyFromOptions say what is copied from a container.
type CopyFromOptions struct {
	// Path is the path of a file or directory in the container.
	Path string
	// Follow copies what Path leads to if it is a link, instead of the link.
	Follow bool
	// Name is the name of the file in the tar stream, or of the directory with which the
	// names of what is in it begin. Empty is the last element of Path. "." stands for the
	// contents of the directory.
	Name string
}

// CopyToOptions say where something is copied to in a container.
type CopyToOptions struct {
	// Path is the path of a directory in the container, which must exist.
	Path string
	// KeepOwners gives files the owners that the tar stream has. Otherwise they belong to
	// root.
	KeepOwners bool
}

type copyFromRequest struct {
	Ref    string `path:"ref" json:"-"`
	Path   string `query:"path" json:"-"`
	Follow bool   `query:"follow" json:"-"`
	Name   string `query:"name" json:"-"`
}

type copyToRequest struct {
	Ref        string    `path:"ref" json:"-"`
	Path       string    `query:"path" json:"-"`
	KeepOwners bool      `query:"keep_owners" json:"-"`
	Content    io.Reader `stream:"application/x-tar" json:"-"`
}

type copierFrom interface {
	CopyFrom(ctx context.Context, reference string, opts CopyFromOptions, w io.Writer) error
}

type copierTo interface {
	CopyTo(ctx context.Context, reference string, opts CopyToOptions, r io.Reader) error
}

type exporter interface {
	Export(ctx context.Context, reference string, w io.Writer) error
}

var copyFromRoute = define(route[copierFrom, copyFromRequest, tarStream]{
	Name:   "CopyFrom",
	Method: http.MethodGet,
	Path:   "/v1/containers/{ref}/archive",
	Doc:    "streams a file or directory of a container as a tar archive",
	Stream: func(ctx context.Context, h copierFrom, r *copyFromRequest, w http.ResponseWriter) error {
		return sendTar(ctx, w, func(w io.Writer) error {
			return h.CopyFrom(ctx, r.Ref, CopyFromOptions{Path: r.Path, Follow: r.Follow, Name: r.Name}, w)
		})
	},
})

var copyToRoute = define(route[copierTo, copyToRequest, none]{
	Name:   "CopyTo",
	Method: http.MethodPut,
	Path:   "/v1/containers/{ref}/archive",
	Doc:    "unpacks a tar archive in a directory of a container",
	Serve: func(ctx context.Context, h copierTo, r *copyToRequest) (none, error) {
		return none{}, h.CopyTo(ctx, r.Ref, CopyToOptions{Path: r.Path, KeepOwners: r.KeepOwners}, r.Content)
	},
})

var exportRoute = define(route[exporter, refRequest, tarStream]{
	Name:   "Export",
	Method: http.MethodGet,
	Path:   "/v1/containers/{ref}/export",
	Doc:    "streams the root file system of a container as a tar archive",
	Stream: func(ctx context.Context, h exporter, r *refRequest, w http.ResponseWriter) error {
		return sendTar(ctx, w, func(w io.Writer) error { return h.Export(ctx, r.Ref, w) })
	},
})

// CopyFrom writes a file or directory of a container to w as a tar stream. Without an
// error the stream is complete.
func (c *Client) CopyFrom(ctx context.Context, reference string, opts CopyFromOptions, w io.Writer) error {
	resp, err := copyFromRoute.open(ctx, c, copyFromRequest{Ref: reference, Path: opts.Path, Follow: opts.Follow, Name: opts.Name})
	if err != nil {
		return err
	}
	return c.receiveTar(ctx, resp, w)
}

// CopyTo unpacks the tar stream r in a directory of a container. After an error, what came
// before it in the stream may be there.
func (c *Client) CopyTo(ctx context.Context, reference string, opts CopyToOptions, r io.Reader) error {
	from := &source{r: r}
	_, err := copyToRoute.call(ctx, c, copyToRequest{Ref: reference, Path: opts.Path, KeepOwners: opts.KeepOwners, Content: from})
	if failed := from.failed(); failed != nil {
		return failed
	}
	return err
}

// Export writes the root file system of a container to w as a tar stream, without what is
// mounted in it. Without an error the stream is complete.
func (c *Client) Export(ctx context.Context, reference string, w io.Writer) error {
	resp, err := exportRoute.open(ctx, c, refRequest{reference})
	if err != nil {
		return err
	}
	return c.receiveTar(ctx, resp, w)
}
