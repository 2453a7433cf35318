package networks

import (
	"sync"
	"testing"

	"github.com/google/nftables"
)

// Two managers, or a change and a repair, may build their batches at the same time.
func TestSetsOfSeveralBatches(t *testing.T) {
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			c, err := nftables.New()
			if err != nil {
				t.Error(err)
				return
			}
			seen := map[uint32]bool{}
			for range 100 {
				set := &nftables.Set{Table: &nftables.Table{Name: "t"}, Name: "s", Constant: true, KeyType: nftables.TypeIFName}
				if err := addSet(c, set, nil); err != nil {
					t.Error(err)
				}
				if seen[set.ID] {
					t.Errorf("two sets have the number %d", set.ID)
				}
				seen[set.ID] = true
			}
		})
	}
	all.Wait()
}
