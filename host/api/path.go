package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// FileType is the type of a file.
type FileType string

const (
	TypeFile      FileType = "file"
	TypeDirectory FileType = "directory"
	TypeLink      FileType = "link" // a symbolic link
	TypeFIFO      FileType = "fifo"
	TypeSocket    FileType = "socket"
	TypeDevice    FileType = "device"
)

// FileMode is the permissions of a file, with the bits for setuid, setgid and sticky.
type FileMode uint32

// MarshalText returns the mode in octal, such as 0644.
func (m FileMode) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%04o", uint32(m)), nil }

// UnmarshalText reverses MarshalText.
func (m *FileMode) UnmarshalText(b []byte) error {
	n, err := strconv.ParseUint(string(b), 8, 12)
	*m = FileMode(n)
	return err
}

// PathInfo describes a file in a container.
type PathInfo struct {
	// Path is the path of the file, in which no directory is a link.
	Path string   `json:"path"`
	Type FileType `json:"type"`
	// Target is where a link leads.
	Target string   `json:"target,omitempty"`
	Size   int64    `json:"size"`
	Mode   FileMode `json:"mode"`
	// UID and GID are those that the container sees.
	UID        uint32    `json:"uid"`
	GID        uint32    `json:"gid"`
	ModifiedAt time.Time `json:"modified_at"`
}

// pathRequest names a file of a container. Follow says whether what a link leads to is
// meant, instead of the link.
type pathRequest struct {
	Ref    string `path:"ref" json:"-"`
	Path   string `query:"path" json:"-"`
	Follow bool   `query:"follow" json:"-"`
}

type pathDescriber interface {
	StatPath(ctx context.Context, reference, path string, follow bool) (PathInfo, error)
}

var statPathRoute = define(route[pathDescriber, pathRequest, PathInfo]{
	Name:   "StatPath",
	Method: http.MethodGet,
	Path:   "/v1/containers/{ref}/path",
	Doc:    "describes a file in a container",
	Serve: func(ctx context.Context, h pathDescriber, r *pathRequest) (PathInfo, error) {
		return h.StatPath(ctx, r.Ref, r.Path, r.Follow)
	},
})

// StatPath describes a file in a container, or with follow what it leads to if it is a
// link.
func (c *Client) StatPath(ctx context.Context, reference, path string, follow bool) (PathInfo, error) {
	return statPathRoute.call(ctx, c, pathRequest{reference, path, follow})
}
