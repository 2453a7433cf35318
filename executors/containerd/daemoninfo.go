package containerd

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/executors/internal/runtimes"
	"google.golang.org/protobuf/types/known/emptypb"
)

// daemonInfo describes the containerd at the other end of a connection. It is valid
// for as long as the connection lasts.
type daemonInfo struct {
	version string
	pid     int
	// visible says that path and dir are known, and mean the same to us.
	visible bool
	// path is the daemon's PATH, on which it looks up shims, and shims look up
	// runc. dir is where its program is, the second place for shims.
	path, dir string
}

// release returns the daemon's version in a comparable form, if it has one.
func (d daemonInfo) release() (runtimes.Release, bool) { return runtimes.ParseRelease(d.version) }

// info describes the daemon.
func (c *conn) info(ctx context.Context) (daemonInfo, error) {
	c.mu.Lock()
	known, dials, pid := c.daemon, c.dials, c.peer
	c.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	resp, err := c.versions.Version(ctx, &emptypb.Empty{})
	if err != nil {
		return daemonInfo{}, err
	}
	d := daemonInfo{version: strings.TrimPrefix(resp.GetVersion(), "v"), pid: pid}
	d.look()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dials == dials {
		c.daemon = &d
	}
	return d, nil
}

// look reads what /proc says about the daemon.
func (d *daemonInfo) look() {
	proc := fmt.Sprintf("/proc/%d", d.pid)
	for _, link := range []string{"ns/mnt", "root"} {
		theirs, err := os.Readlink(filepath.Join(proc, link))
		if ours, _ := os.Readlink(filepath.Join("/proc/self", link)); err != nil || theirs != ours {
			return
		}
	}
	env, err := os.ReadFile(filepath.Join(proc, "environ"))
	if err != nil {
		return
	}
	exe, err := os.Readlink(filepath.Join(proc, "exe"))
	if err != nil {
		return
	}
	for v := range bytes.SplitSeq(env, []byte{0}) {
		if path, ok := bytes.CutPrefix(v, []byte("PATH=")); ok {
			d.path = string(path)
		}
	}
	d.dir, d.visible = filepath.Dir(exe), true
}
