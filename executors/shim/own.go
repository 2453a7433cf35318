package shim

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"path/filepath"

	"github.com/davit-run/davit/executors/shim/minishim"
	"github.com/davit-run/davit/shared/executor"
)

// ownShim reports whether the attempt's shim is davit's own, package minishim.
func (r record) ownShim() bool { return r.Shim == "" }

// startOwn lets one of davit's own shims serve a container.
func (d *driver) startOwn(p *plan) (contact, error) {
	c, l, err := d.listen(p.record)
	if err != nil {
		return c, err
	}
	defer l.Close()
	return c, d.pool.assign(minishim.Assignment{
		Bundle: d.state.bundle(p.record), Namespace: p.Namespace,
		Output: []executor.Stream{p.files.Stdout, p.files.Stderr},
	}, l)
}

// listen creates the socket of one of davit's own shims.
func (d *driver) listen(r record) (contact, *net.UnixListener, error) {
	l, err := listenAt(d.ownSocket(r))
	return d.ownContact(r), l, err
}

// ownContact returns how to reach davit's own shim of a container.
func (d *driver) ownContact(r record) contact {
	return contact{Address: "unix://" + d.ownSocket(r), Version: 3}
}

// ownSocket returns the socket of davit's own shim for a container.
func (d *driver) ownSocket(r record) string {
	sum := sha256.Sum256([]byte(r.Ref.ID))
	return filepath.Join(d.env.RunDir, hex.EncodeToString(sum[:8])+".sock")
}
