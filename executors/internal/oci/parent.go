package oci

import (
	"os"
	"sync"
)

// Parent is the cgroup that has those of a backend's containers. It exists only as long
// as one of them does: an OCI runtime makes it with the first, and nobody else removes
// it after the last. It is safe for concurrent use.
type Parent struct {
	remove func() // fails unless it is empty

	mu    sync.Mutex
	held  int
	again bool // Tidy was called meanwhile
}

// NewParent returns the Parent that remove removes in all hierarchies.
func NewParent(remove func()) *Parent { return &Parent{remove: remove} }

// Parent returns the parent of the cgroups of a backend whose config names none.
func (o Owner) Parent() *Parent {
	return NewParent(func() {
		for _, m := range cgroupMounts() {
			_ = os.Remove(m.Dir(o.ownCgroup()))
		}
	})
}

// Hold keeps the cgroup from being removed while a container is created in it, until
// release is called: whoever has found it must be able to make one below.
func (p *Parent) Hold() (release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held++
	return sync.OnceFunc(func() {
		p.mu.Lock()
		p.held--
		again := p.again
		p.mu.Unlock()
		if again {
			p.Tidy()
		}
	})
}

// Tidy removes the cgroup if it has none below. It is called when a container is gone.
func (p *Parent) Tidy() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.again = p.held > 0; !p.again {
		p.remove()
	}
}
