package networks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// crashDir names the directory of a process that is to be killed.
const crashDir = "DAVIT_TEST_CRASH"

// churn makes and removes containers and networks until it is killed.
func churn(dir string) {
	m, _, err := openDir(dir)
	for i := 0; err == nil; i++ {
		id, network := fmt.Sprintf("%d-%d", os.Getpid(), i), "default"
		if i%3 == 0 {
			network = "n" + id
			_, err = m.Create(context.Background(), api.NetworkOptions{Name: network})
			if executor.CodeOf(err) == executor.FailedPrecondition { // earlier hosts have left all subnets in use
				network, err = "default", nil
			}
			if err != nil {
				break
			}
		}
		var c *store.Container
		if c, err = m.create(id, network, ""); err == nil {
			err = m.Up(c)
		}
		if err == nil && network != "default" {
			_, err = m.connect(id, "default", "")
			if err == nil && i%4 > 0 {
				_, err = m.disconnect(id, []string{"", "default", network, "default"}[i%4])
			}
		}
		if i == 0 {
			_ = os.WriteFile(filepath.Join(dir, "churning"), nil, 0o600)
		}
		if err == nil && i%4 < 2 {
			if c, err = m.join(id+"-joined", id); err == nil {
				err = m.Up(c)
			}
			if err == nil && i%8 < 4 {
				err = m.remove(id + "-joined")
			}
		}
		if err == nil && i%2 == 0 {
			err = m.remove(id)
		}
		if err == nil && i%4 == 0 && i%8 >= 4 {
			err = m.remove(id + "-joined")
		}
		if err == nil && network != "default" && i%2 == 0 {
			err = m.Remove(context.Background(), network)
		}
		if executor.CodeOf(err) == executor.FailedPrecondition { // all addresses or subnets
			err = nil
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// TestKilled kills hosts at any moment. The next one can go on with each container that is
// recorded, and nothing is left of what is not.
func TestKilled(t *testing.T) {
	need(t)
	dir := t.TempDir()
	runtime.LockOSThread() // the death signal is that of the thread
	defer runtime.UnlockOSThread()
	for round := range 12 {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), crashDir+"="+dir)
		cmd.Stderr = os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { defer close(ended); _ = cmd.Wait() }()
		begun := filepath.Join(dir, "churning")
		wait.Until(t, "the host is at work, or has ended", func() bool {
			select {
			case <-ended:
				return true
			default:
			}
			_, err := os.Stat(begun)
			return err == nil
		})
		time.Sleep(time.Duration(round) * 3 * time.Millisecond) // some other moment
		if err := errors.Join(cmd.Process.Kill(), os.Remove(begun)); err != nil {
			t.Fatal(err)
		}
		<-ended
		m, done := open(t, dir)
		m.checkRecorded(t)
		if round%4 == 3 {
			m.removeAll(t)
			m.checkNothing(t)
		}
		done()
	}
}

// checkRecorded checks that all containers of the records get their networks, that no two
// share an address, and that there are no leases or namespaces of others.
func (m *Manager) checkRecorded(t *testing.T) {
	t.Helper()
	var all []*store.Container
	leases := 0
	err := m.store.View(func(tx *store.Tx) error {
		var err error
		all, err = tx.Containers()
		networks, nerr := tx.Networks()
		for _, n := range networks {
			owners, oerr := tx.Leases(n.Name)
			leases += len(owners)
			nerr = errors.Join(nerr, oerr)
		}
		return errors.Join(err, nerr)
	})
	if err != nil {
		t.Fatal(err)
	}
	spaces := map[string]bool{}
	recorded := 0
	for _, c := range all {
		spaces[c.NetNS()] = true
		for _, l := range c.Leases {
			recorded++
			if l.Address6.IsValid() {
				recorded++
			}
		}
	}
	if leases != recorded || leases < len(spaces) {
		t.Errorf("%d containers with %d namespaces have %d leases, of which %d are in their records", len(all), len(spaces), leases, recorded)
	}
	entries, err := os.ReadDir(m.dir)
	if err != nil || len(entries) > len(spaces) {
		t.Errorf("%d containers have %d namespaces, %v", len(all), len(entries), err)
	}
	seen := map[netip.Addr]bool{}
	for _, c := range all {
		for _, l := range c.Leases {
			for _, a := range []netip.Addr{l.Address, l.Address6} { // no two networks share any
				if seen[a] && a.IsValid() {
					t.Errorf("two containers have %s", a)
				}
				seen[a] = true
			}
		}
		if err := m.Up(c); err != nil {
			t.Errorf("container %s: %v", c.ID, err)
		}
		if len(c.Leases) > 0 {
			m.checkLinks(t, c)
		}
	}
}

// TestHalfMade goes on from each state in which a start can be cut off.
func TestHalfMade(t *testing.T) {
	need(t)
	for name, half := range map[string]func(m *Manager, c *store.Container) error{
		"file":      func(m *Manager, c *store.Container) error { return os.WriteFile(m.Path(c.ID), nil, 0o400) },
		"namespace": func(m *Manager, c *store.Container) error { return pin(m.Path(c.ID)) },
		"link": func(m *Manager, c *store.Container) error {
			if err := pin(m.Path(c.ID)); err != nil {
				return err
			}
			s, err := enter(c.ID, m.Path(c.ID))
			if err != nil {
				return err
			}
			defer s.close()
			n, err := m.Inspect("default")
			if err != nil {
				return err
			}
			return s.addLink(&store.Network{Name: n.Name, MTU: n.MTU}, c.Leases[0])
		},
		"another namespace": func(m *Manager, c *store.Container) error {
			if err := m.Up(c); err != nil {
				return err
			}
			return errors.Join(unpin(m.Path(c.ID)), pin(m.Path(c.ID)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, done := open(t, t.TempDir())
			c, err := m.create("c", "default", "")
			if err == nil {
				err = half(m, c)
			}
			if err == nil {
				err = m.Up(c)
			}
			if err != nil {
				t.Fatal(err)
			}
			port, stop := serve(t, m.Path("c"))
			if got, err := ask(here, c.Leases[0].Address, port, long); got != "10.209.0.1" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
			stop()
			m.removeAll(t)
			m.checkNothing(t)
			done()
		})
		t.Run(name+" of no record", func(t *testing.T) {
			dir := t.TempDir()
			m, done := open(t, dir)
			c, err := m.create("c", "default", "")
			if err == nil {
				err = half(m, c)
			}
			if err == nil {
				err = m.store.Update(t.Context(), func(tx *store.Tx) error {
					return errors.Join(tx.RemoveContainer("c"), tx.RemoveNetwork("default"))
				})
			}
			if err != nil {
				t.Fatal(err)
			}
			done()
			m, _ = open(t, dir)
			m.checkNothing(t)
		})
	}
}
