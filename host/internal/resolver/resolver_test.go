package resolver_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/davit-run/davit/host/internal/resolver"
	"github.com/davit-run/davit/host/internal/resolver/server"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/linux"
	"github.com/hashicorp/go-hclog"
	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
)

// site is a run directory, with a gateway on this machine's loopback.
type site struct {
	t       *testing.T
	dir     string
	gateway netip.Addr
}

func newSite(t *testing.T) *site {
	s := &site{t, t.TempDir(), netip.AddrFrom4([4]byte{127, byte(1 + rand.IntN(250)), byte(rand.IntN(250)), 7})}
	t.Cleanup(func() { // also after a failure
		m := s.open(false)
		s.set(m, "web", "10.1.0.2", 1)
		s.set(m, "web", "10.1.0.2", 0)
		m.Close()
	})
	return s
}

func (s *site) open(tied bool) *resolver.Manager {
	return resolver.Open(resolver.Options{ID: "test", RunDir: s.dir, Logger: hclog.NewNullLogger(), Tied: tied})
}

// set has a name resolved for the gateway itself, if there are clients.
func (s *site) set(m *resolver.Manager, name, address string, clients int) {
	s.t.Helper()
	z := server.Zones{Clients: map[netip.Addr]server.Client{}}
	if clients > 0 {
		a := netip.MustParseAddr(address)
		z.Networks = []server.Network{{Name: "n", Internal: true, Gateways: []netip.Addr{s.gateway}, Names: map[string][]netip.Addr{name: {a}}}}
		z.Clients[netip.MustParseAddr("127.0.0.1")] = server.Client{Networks: []string{"n"}}
		z.Clients[s.gateway] = server.Client{Networks: []string{"n"}}
	}
	if err := m.Set(z); err != nil {
		s.t.Error(err)
	}
}

// ask returns what is answered for a name.
func (s *site) ask(name string) string {
	q := new(dns.Msg)
	q.SetQuestion(name+".", dns.TypeA)
	m, err := dns.Exchange(q, netip.AddrPortFrom(s.gateway, server.Port).String())
	if err != nil {
		return err.Error()
	}
	if len(m.Answer) == 1 {
		return m.Answer[0].(*dns.A).A.String()
	}
	return dns.RcodeToString[m.Rcode]
}

// want waits for an answer.
func (s *site) want(name, address string) {
	s.t.Helper()
	got := ""
	if !wait.Holds(func() bool { got = s.ask(name); return got == address }) {
		s.t.Errorf("%s: got %s, want %s", name, got, address)
	}
}

// pid returns that of the resolver, 0 if there is none.
func (s *site) pid() int {
	found, err := linux.FindHolders(filepath.Join(s.dir, "dns", server.LockFile))
	if err != nil {
		s.t.Fatal(err)
	}
	pid := 0
	for _, p := range found {
		pid = p.PID
		_ = p.Close()
	}
	return pid
}

// gone waits until nothing is left.
func (s *site) gone(pid int) {
	s.t.Helper()
	wait.Until(s.t, fmt.Sprintf("process %d has ended", pid), func() bool {
		stat, err := linux.StatOf(pid)
		return err != nil || stat.State == 'Z'
	})
}

// TestLife has a resolver killed, taken over by the next host, and ended when nobody can ask.
func TestLife(t *testing.T) {
	s := newSite(t)
	m := s.open(false)
	s.set(m, "web", "10.1.0.2", 1)
	s.want("web", "10.1.0.2")
	s.set(m, "db", "10.1.0.3", 1)
	if got := s.ask("db"); got != "10.1.0.3" {
		t.Errorf("after a change that has been made: got %s", got)
	}
	if got := s.ask("web"); got != "NXDOMAIN" {
		t.Errorf("of a name that is gone: got %s", got)
	}
	killed := s.pid()
	if err := unix.Kill(killed, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.want("db", "10.1.0.3")
	pid := s.pid()
	if pid == killed {
		t.Errorf("process %d was killed", pid)
	}
	if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); os.Geteuid() == 0 && (err != nil || !bytes.Contains(status, []byte("\nUid:\t65534\t65534\t65534\t65534\n")) || !bytes.Contains(status, []byte("\nCapEff:\t0000000000000000\n"))) {
		t.Errorf("it is root: %s, %v", status, err)
	}
	m.Close()
	if got := s.ask("db"); got != "10.1.0.3" || s.pid() != pid {
		t.Errorf("without a host: got %s of process %d, want %d", got, s.pid(), pid)
	}
	m = s.open(false)
	s.set(m, "db", "10.1.0.4", 1)
	if got := s.ask("db"); got != "10.1.0.4" || s.pid() != pid {
		t.Errorf("under the next host: got %s of process %d, want %d", got, s.pid(), pid)
	}
	s.set(m, "", "", 0)
	m.Close()
	s.gone(pid)
	if _, err := os.Stat(filepath.Join(s.dir, "dns")); err == nil {
		t.Error("the directory is left")
	}
}

// TestTied ends a resolver with the manager that it is tied to.
func TestTied(t *testing.T) {
	s := newSite(t)
	m := s.open(true)
	s.set(m, "web", "10.1.0.2", 1)
	s.want("web", "10.1.0.2")
	pid := s.pid()
	m.Close()
	s.gone(pid)
}
