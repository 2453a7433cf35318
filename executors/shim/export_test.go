package shim

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
)

// Crash ends the backend as if its process had been killed, as far as that can be
// done within one: nothing is removed.
func (b *Backend) Crash() {
	_ = b.Backend.Close(context.Background())
	b.driver.pool.close() // its end of the connection goes with the process
	_ = b.driver.sink.close()
}

// HalfMake does the first step of a create, as an executor does that is killed
// after it.
func (b *Backend) HalfMake(ctx context.Context, w executor.Workload) error {
	p, err := b.driver.Prepare(ctx, w)
	if err != nil {
		return err
	}
	return b.driver.state.add(p.record, p.spec.JSON)
}

// Remove removes a container in any state.
func (b *Backend) Remove(ctx context.Context, id string) error {
	r, err := b.driver.record(id)
	if err != nil || r.Ref.ID == "" {
		return err
	}
	return b.driver.remove(ctx, r, false)
}

// Key is part of the names of all that belongs to the backend.
func (b *Backend) Key() string { return b.driver.owner.Key() }

// Bundle returns the bundle of a container.
func (b *Backend) Bundle(id string) string {
	return b.driver.state.bundle(record{Ref: executor.Ref{ID: id}, CID: b.driver.owner.ContainerID(id)})
}

// Socket returns the socket of a container's shim.
func (b *Backend) Socket(id string) string {
	r, _ := b.driver.record(id)
	c, _ := b.driver.contact(r)
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

// IdleShim returns the pid of the shim that waits for a container, or 0.
func (b *Backend) IdleShim() int {
	p := &b.driver.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.idle == nil {
		return 0
	}
	return p.idle.process.Pid
}
