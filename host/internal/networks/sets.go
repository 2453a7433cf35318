package networks

import (
	"sync"

	"github.com/google/nftables"
)

// numbering guards the counter from which nftables v0.3 numbers sets. It is one for all
// connections, and two sets of a batch with one number would be taken for each other.
var numbering sync.Mutex

// addSet adds a set to the batch of a connection. It may be called for several connections at
// once, unlike [nftables.Conn.AddSet].
func addSet(c *nftables.Conn, set *nftables.Set, elements []nftables.SetElement) error {
	numbering.Lock()
	defer numbering.Unlock()
	return c.AddSet(set, elements)
}
