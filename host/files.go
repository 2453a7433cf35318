package host

import (
	"context"
	"io"

	"github.com/davit-run/davit/host/api"
)

// StatPath describes a file in a container, or with follow what it leads to if it is a
// link. As in all paths of a container, no link leads out of it. What is mounted in a
// container is seen while it runs, on a backend whose containers have namespaces of this
// kernel. The error for a file that does not exist is [executor.NotFound].
func (h *Host) StatPath(ctx context.Context, reference, path string, follow bool) (api.PathInfo, error) {
	return h.containers.StatPath(ctx, reference, path, follow)
}

// CopyFrom writes a file or directory of a container to w as a tar stream. After an error
// the stream is not complete.
func (h *Host) CopyFrom(ctx context.Context, reference string, opts api.CopyFromOptions, w io.Writer) error {
	return h.containers.CopyFrom(ctx, reference, opts, w)
}

// CopyTo unpacks the tar stream r in a directory of a container, whether it runs or not.
// Files that exist are replaced. A directory does not take the place of a file, nor a file
// that of a directory, and entries that lead out of the directory are refused. After an
// error, what came before it in the stream is there.
func (h *Host) CopyTo(ctx context.Context, reference string, opts api.CopyToOptions, r io.Reader) error {
	return h.containers.CopyTo(ctx, reference, opts, r)
}

// Export writes the root file system of a container to w as a tar stream, without what is
// mounted in it. After an error the stream is not complete.
func (h *Host) Export(ctx context.Context, reference string, w io.Writer) error {
	return h.containers.Export(ctx, reference, w)
}

// Diff returns what a container has changed of its image, in the order of the paths. What is
// mounted in it is not looked at. The error is [executor.FailedPrecondition] for a container
// that was not made from an image.
func (h *Host) Diff(ctx context.Context, reference string) ([]api.Change, error) {
	return h.containers.Diff(ctx, reference)
}

// Commit makes an image of a container: the image that it was made from, with a layer of
// what the container has changed of it, as [Host.Diff] shows it. The config is that of the
// image with what the container was given, such as its command, environment, ports and
// labels, changed by opts; the health check stays that of the image. A container that runs is
// paused meanwhile, unless opts or its backend say otherwise: then each of its files is in the
// image in one of its states. The error is [executor.FailedPrecondition] for a container that was not made from an image.
func (h *Host) Commit(ctx context.Context, reference string, opts api.CommitOptions) (api.Image, error) {
	return h.containers.Commit(ctx, reference, opts)
}
