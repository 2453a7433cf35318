package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/host/rigs/realtest"
)

// networkBackends are those on which networks are measured.
func networkBackends() []benchBackend {
	rows := benchBackends()
	return []benchBackend{rows[0], rows[2]} // the daemon of Debian, and none
}

// networkContenders are containers that end at once, on each backend first without a network,
// and then on the default one. They are made by a client of the API.
func networkContenders(b *testing.B) (all []contender) {
	need(b, debian)
	ownNetwork(b)
	var blocks []string
	for _, row := range networkBackends() {
		blocks = append(blocks, fmt.Sprintf("backend %q {\n%s\n}\n", row.name, row.block))
	}
	s := newSite(b, blocks...)
	client := api.NewClient(filepath.Join(s.dir, "run/davit.sock"))
	b.Cleanup(client.Close)
	for _, row := range networkBackends() {
		for _, network := range []string{ocispec.NetworkNone, api.DefaultNetwork} {
			opts := api.ContainerOptions{Backend: row.name, Network: network, AutoRemove: true, Rootfs: rootfs, Process: ocispec.Options{Args: []string{"/bin/true"}}}
			all = append(all, contender{row.name + "/" + network, func(string) error {
				_, err := client.RunAttached(context.Background(), opts, api.Attachment{})
				return err
			}})
		}
	}
	for _, c := range all { // what is made once is not counted
		c.mustRun(b, "first")
	}
	return all
}

// BenchmarkNetwork measures /bin/true with an address on the default network, one and some at
// once, from the request to its exit code and removal. It reports the medians in ms, and their
// ratios to those without a network.
func BenchmarkNetwork(b *testing.B) {
	for _, atOnce := range []int{1, 16} {
		b.Run(strconv.Itoa(atOnce), func(b *testing.B) {
			all := networkContenders(b)
			took := make([][]time.Duration, len(all))
			for b.Loop() {
				for j, c := range all {
					start := time.Now()
					var wg sync.WaitGroup
					for range atOnce {
						wg.Go(func() { c.mustRun(b, "") })
					}
					wg.Wait()
					took[j] = append(took[j], time.Since(start))
				}
			}
			reportPairs(b, all, took, "none")
		})
	}
}

// TestManyOnANetwork starts containers at once, which all get addresses of their own, and
// removes them at once, while others come. Nothing is left then. `make matrix` does it with 200.
func TestManyOnANetwork(t *testing.T) {
	need(t)
	ownNetwork(t)
	n, atOnce := 12, 6
	if realtest.Matrix() {
		n, atOnce = 200, 32
	}
	s := newSite(t, "backend \"main\" {\n  executor = \"shim\"\n}\n")
	client := api.NewClient(filepath.Join(s.dir, "run/davit.sock"))
	defer client.Close()

	var mu sync.Mutex
	owners := map[string]string{} // of those that run, by address
	begin := func(i int) string {
		c, err := client.Create(context.Background(), api.ContainerOptions{
			Name: fmt.Sprintf("c%d", i), Network: api.DefaultNetwork, Rootfs: rootfs, Process: ocispec.Options{Args: []string{"/bin/sleep", "1000"}},
		})
		if err != nil || len(c.Addresses) != 1 {
			t.Errorf("container %d: got %+v, %v", i, c.Addresses, err)
			return c.ID
		}
		mu.Lock()
		defer mu.Unlock()
		address := c.Addresses[0].IP.String()
		if owners[address] != "" {
			t.Errorf("%s and %s have the address %s", owners[address], c.ID, address)
		}
		owners[address] = c.ID
		return c.ID
	}
	end := func(id string) {
		mu.Lock()
		for address, owner := range owners {
			if owner == id {
				delete(owners, address)
			}
		}
		mu.Unlock()
		if err := client.Remove(context.Background(), id, true); err != nil {
			t.Error(err)
		}
	}
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	each := func(n int, do func(i int)) {
		for i := range n {
			slots <- struct{}{}
			wg.Go(func() { defer func() { <-slots }(); do(i) })
		}
	}
	ids := make([]string, n)
	each(n, func(i int) { ids[i] = begin(i) })
	wg.Wait()
	each(n, func(i int) { // each second one goes, and another comes in its place
		if i%2 == 0 {
			end(ids[i])
			ids[i] = begin(n + i)
		}
	})
	wg.Wait()
	if len(owners) != n {
		t.Errorf("%d addresses are in use, want %d", len(owners), n)
	}
	each(n, func(i int) { end(ids[i]) })
	wg.Wait()
	s.must("network", "rm", api.DefaultNetwork)
	s.waitFor("no links are left", func() bool { return len(links(t)) == 0 })
	if left, err := os.ReadDir(filepath.Join(s.dir, "run/netns")); len(left) > 0 || err != nil {
		t.Errorf("left are namespaces: %v, %v", left, err)
	}
}
