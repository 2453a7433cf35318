package containerd

import "sync"

// cids has the ids in containerd of containers whose id there is not the one that the owner
// gives: it was given by an owner that is lost.
type cids struct {
	mu sync.Mutex
	of map[string]string
}

func (c *cids) set(id, cid string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[string]string{}
	}
	c.of[id] = cid
}

// cid returns the id that a container has in containerd.
func (d *driver) cid(id string) string {
	d.cids.mu.Lock()
	defer d.cids.mu.Unlock()
	if cid, ok := d.cids.of[id]; ok {
		return cid
	}
	return d.owner.ContainerID(id)
}
