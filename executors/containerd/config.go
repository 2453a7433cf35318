package containerd

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"time"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/executors/internal/settings"
	"github.com/davit-run/davit/shared/executor"
)

// Config is a backend's config block.
type Config struct {
	oci.Config
	Address        string `json:"address"`
	Containerd     string `json:"containerd"`
	ConnectTimeout string `json:"connect_timeout"`
	Snapshotter    string `json:"snapshotter"`
	ImageNamespace string `json:"image_namespace"`

	connectTimeout time.Duration
}

func configSchema() executor.Schema {
	return executor.Schema{Attributes: append([]executor.Attribute{
		{Name: "address", Type: executor.String, Description: "containerd's socket, such as /run/containerd/containerd.sock; if absent, the backend starts a containerd of its own"},
		{Name: "containerd", Type: executor.String, Default: json.RawMessage(`"containerd"`), Description: "program to start as the backend's own containerd: an absolute path, or a name that is looked up on PATH"},
		{Name: "connect_timeout", Type: executor.Duration, Default: json.RawMessage(`"10s"`), Description: "how long to wait for containerd before a call fails"},
		{Name: "snapshotter", Type: executor.String, Default: json.RawMessage(`"` + defaultSnapshotter + `"`), Description: "containerd's snapshotter for containers from its own images (--image-store backend)"},
		{Name: "image_namespace", Type: executor.String, Description: "namespace in containerd of those images and of the layers of their containers; namespace if absent"},
	}, oci.ConfigAttributes()...)}
}

// defaultSnapshotter is that of containerd's own client.
const defaultSnapshotter = "overlayfs"

// maxSocketPath is the longest path that fits in a sockaddr_un beside the closing
// zero.
const maxSocketPath = 107

// parseConfig decodes the block, applies the defaults, and checks what can be
// checked without I/O.
func parseConfig(body json.RawMessage) (Config, []executor.Diagnostic) {
	c := Config{Config: oci.DefaultConfig(), Containerd: "containerd", ConnectTimeout: "10s", Snapshotter: defaultSnapshotter}
	found := settings.Decode(body, &c, "config")
	if len(found) > 0 {
		return c, found
	}
	if c.Address != "" {
		switch {
		case !filepath.IsAbs(c.Address):
			found.Add("address", "give the path of containerd's socket, such as /run/containerd/containerd.sock", "%q is not an absolute path", c.Address)
		case len(c.Address) > maxSocketPath:
			found.Add("address", "sockets have short paths; a symbolic link may help", "the path has %d bytes, and a socket's may have %d", len(c.Address), maxSocketPath)
		}
	}
	if strings.Contains(c.Containerd, "/") && !filepath.IsAbs(c.Containerd) {
		found.Add("containerd", "give an absolute path, or a bare name to be looked up on PATH", "%q is a relative path", c.Containerd)
	}
	d, err := time.ParseDuration(c.ConnectTimeout)
	if err != nil || d <= 0 {
		found.Add("connect_timeout", `a duration is written like "10s"`, "%q is not a duration above zero", c.ConnectTimeout)
	}
	c.connectTimeout = d
	c.Check(&found)
	if !snapshotterForm().MatchString(c.Snapshotter) {
		found.Add("snapshotter", "`ctr plugins ls type==io.containerd.snapshotter.v1` lists those of a containerd", "%q cannot be the name of a snapshotter", c.Snapshotter)
	}
	if c.ImageNamespace == "" {
		c.ImageNamespace = c.Namespace
	} else if !oci.IsNamespace(c.ImageNamespace) {
		found.Add("image_namespace", "use up to 76 letters, digits and single inner dashes, dots and underscores", "%q cannot be a namespace", c.ImageNamespace)
	}
	return c, found
}

var snapshotterForm = runtimes.Regexp(`^[A-Za-z0-9]+([_.-][A-Za-z0-9]+)*$`)

// validate is the executor's Validate.
func validate(s executor.Settings) []executor.Diagnostic {
	_, _, found := oci.ReadSettings(s, "/", parseConfig)
	return found
}
