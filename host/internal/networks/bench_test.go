package networks

import (
	"fmt"
	"testing"

	"github.com/davit-run/davit/host/rigs/ownnet"
)

// BenchmarkContainer makes and removes the network of a container.
func BenchmarkContainer(b *testing.B) {
	if !ownnet.Is() {
		b.Skip("needs a network namespace of its own")
	}
	m, done, err := openDir(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer done()
	for i := 0; b.Loop(); i++ {
		id := fmt.Sprintf("c%d", i)
		c, err := m.create(id, "default", "")
		if err == nil {
			err = m.Up(b.Context(), c)
		}
		if err == nil {
			err = m.remove(id)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := m.Remove(b.Context(), "default"); err != nil {
		b.Fatal(err)
	}
}
