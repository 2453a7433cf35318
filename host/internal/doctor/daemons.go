package doctor

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

var _ = add(45, "daemons", lookAtDaemons)

// lookAtDaemons connects to the sockets of the daemons that backends name in their config:
// as `address`, which is what executors call it that have one.
func lookAtDaemons(ctx context.Context, p *Patient, r *report) {
	for i := range p.Config.Backends {
		b := &p.Config.Backends[i]
		address, _ := b.Setting("address")
		path := strings.TrimPrefix(address, "unix://")
		if !filepath.IsAbs(path) {
			continue
		}
		d := net.Dialer{Timeout: 2 * time.Second}
		conn, err := d.DialContext(ctx, "unix", path)
		switch {
		case err == nil:
			conn.Close()
			r.ok("backend %s: a daemon answers at %s", b.Name, path)
		case errors.Is(err, fs.ErrPermission):
			r.unread("backend "+b.Name+": daemon", err)
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
			r.fail("start it, such as by systemctl start containerd, or correct address in the config", "backend %s: no daemon answers at %s", b.Name, path)
		default:
			r.fail("see the daemon's log", "backend %s: daemon: %v", b.Name, err)
		}
	}
}
