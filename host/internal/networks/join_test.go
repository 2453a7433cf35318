package networks

import (
	"errors"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

// TestJoin has containers share a network namespace, which lasts for as long as one of them is
// there, under this host and the next.
func TestJoin(t *testing.T) {
	need(t)
	for name, order := range map[string][]string{"owner first": {"a", "b", "c"}, "owner last": {"c", "b", "a"}, "owner between": {"b", "a", "c"}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			m, done := open(t, dir)
			a, err := m.create("a", "default", "")
			if err != nil {
				t.Fatal(err)
			}
			address := a.Leases[0].Address
			if _, err := m.join("b", "name-a"); err != nil {
				t.Fatal(err)
			}
			c, err := m.join("c", "b")
			if err != nil || c.Joined != "a" || c.Network != "container:a" || m.Namespace(c.Network, c.ID) != m.Path("a") {
				t.Fatalf("got %+v, %v", c, err)
			}
			if err := m.Up(t.Context(), c); err != nil { // the others have not been started
				t.Fatal(err)
			}
			port, stop := serve(t, m.Path("a"))
			for i, id := range order[:2] {
				if err := m.remove(id); err != nil {
					t.Fatal(err)
				}
				if got, err := ask(here, address, port, long); got != "10.209.0.1" || err != nil {
					t.Errorf("after the removal of %v: got %q, %v", order[:i+1], got, err)
				}
				if n, err := m.Inspect("default"); err != nil || len(n.Containers) != 1 || n.Containers[0].Address != address {
					t.Errorf("after the removal of %v: the network has %+v, %v", order[:i+1], n, err)
				}
				done()
				m, done = open(t, dir)
				if got, err := ask(here, address, port, long); got != "10.209.0.1" || err != nil {
					t.Errorf("after the removal of %v, under the next host: got %q, %v", order[:i+1], got, err)
				}
			}
			other, err := m.create("other", "default", address.String())
			if !errors.Is(err, executor.AlreadyExists) {
				t.Errorf("the address is still in use: got %+v, %v", other, err)
			}
			stop()
			if err := m.remove(order[2]); err != nil {
				t.Fatal(err)
			}
			m.removeAll(t)
			m.checkNothing(t)
		})
	}
}

// TestJoinIsRefused refuses the networks of containers that have none to share.
func TestJoinIsRefused(t *testing.T) {
	need(t)
	m, _ := open(t, t.TempDir())
	for id, mode := range map[string]string{"none": ocispec.NetworkNone, "host": ocispec.NetworkHost, "lost": "web", "bundle": ""} {
		err := m.store.Update(t.Context(), func(tx *store.Tx) error {
			return tx.CreateContainer(&store.Container{ID: id, Network: mode, Backend: "runc"}, []byte("{}"))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for mode, want := range map[string]string{
		"container:":         "the container is missing",
		"container:me":       "a container cannot have its own network",
		"container:nobody":   `there is no container "nobody"`,
		"container:%s":       `there is no container "%s"`,
		"container:none":     "container none has a network namespace that only its backend (runc) knows",
		"container:bundle":   "container bundle has a network namespace that only",
		"container:host":     "use --network host",
		"container:lost":     "has lost its address",
		"container:a b/../c": "there is no container",
	} {
		if got, _, err := m.Join(mode, "me"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %q, %v\nwant %s", mode, got, err, want)
		}
	}
	a, err := m.create("a", "default", "")
	if err != nil {
		t.Fatal(err)
	}
	err = m.store.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.RemoveContainer(a.ID); err != nil {
			return err
		}
		return m.Lease(tx, &store.Container{ID: "b", Joined: a.ID})
	})
	if !errors.Is(err, executor.NotFound) || !strings.Contains(err.Error(), "has just been removed") {
		t.Errorf("one that is removed meanwhile: got %v", err)
	}
	m.removeAll(t)
	m.checkNothing(t)
}
