package shim

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
)

// Crash ends the backend as if its process had been killed, as far as that can be
// done within one: nothing is tidied up.
func (b *Backend) Crash() {
	for _, a := range b.attempts.Close() {
		a.closeTask()
	}
	b.spares.close() // its end of the connection goes with the process
	_ = b.sink.close()
}

// HalfMake does the first step of a create, as an executor does that is killed
// after it.
func (b *Backend) HalfMake(ctx context.Context, w executor.Workload) error {
	p, err := b.plan(ctx, w)
	if err != nil {
		return err
	}
	return b.state.add(p.record, p.spec.JSON, !p.mini)
}

// Destroy removes all of a container in whatever state it is.
func (b *Backend) Destroy(ctx context.Context, id string) error {
	b.stopWatching(id)
	r, err := b.record(id)
	if err != nil || r.Ref.ID == "" {
		return err
	}
	return b.destroy(ctx, r)
}

// Key is part of the names of all that belongs to the backend.
func (b *Backend) Key() string { return b.owner.Key() }

// Bundle gives the bundle of a container.
func (b *Backend) Bundle(id string) string { return b.state.bundle(id) }

// Socket gives the socket of a container's shim.
func (b *Backend) Socket(id string) string {
	r, _ := b.record(id)
	c, _ := b.contact(r)
	path, _ := c.socket()
	return path
}

// ProcessesWithin lists the processes whose working directory is dir.
func ProcessesWithin(dir string) []int { return processesWithin(dir) }

// BootLegacy reports whether a shim of a version is started the old way.
func BootLegacy(version string) bool { return bootProtocolOf(version) == bootLegacy }

// ParseAnswer reads what a shim printed when it was started.
func ParseAnswer(answer []byte) (address string, version int, err error) {
	c, err := parseAnswer(answer)
	return c.Address, c.Version, err
}
