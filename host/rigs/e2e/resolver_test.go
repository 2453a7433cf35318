package e2e

import (
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/shared/linux"
	"github.com/miekg/dns"
	"github.com/vishvananda/netlink"
)

// nameServer gives the machine an address with a name server that knows one name, until the
// test ends. The thread has a network of its own.
func nameServer(t *testing.T, address, name string) {
	t.Helper()
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.AddrReplace(lo, &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(address), Mask: net.CIDRMask(32, 32)}})
	}
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenPacket("udp4", address+":53")
	if err != nil {
		t.Fatal(err)
	}
	handle := func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(q)
		switch q := q.Question[0]; {
		case q.Name == name+"." && q.Qtype == dns.TypeA:
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(192, 0, 2, 99)}}
		case q.Name != name+".":
			m.Rcode = dns.RcodeNameError
		}
		_ = w.WriteMsg(m)
	}
	started, done := make(chan struct{}), make(chan struct{})
	s := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(handle), NotifyStartedFunc: func() { close(started) }}
	go func() { defer close(done); _ = s.ActivateAndServe() }()
	<-started
	t.Cleanup(func() { _ = s.Shutdown(); <-done })
}

// resolverPID returns the process that answers what the containers of a site ask, 0 if there
// is none.
func (s *site) resolverPID() (pid int) {
	found, err := linux.FindHolders(filepath.Join(s.dir, "run/dns/lock"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range found {
		pid = p.PID
		_ = p.Close()
	}
	return pid
}

// TestResolver has programs that ask DNS only find other containers, and what a server of their
// own knows, whatever is killed.
func TestResolver(t *testing.T) {
	need(t, debian)
	ownNetwork(t)
	const outside = "outside.example.test"
	nameServer(t, "192.0.2.1", outside)
	s := newSite(t, "default_backend = \"shim\"", "backend \"shim\" {\n  executor = \"shim\"\n}\n")
	s.must("network", "create", "web")
	s.must("network", "create", "--internal", "inner")
	addresses, ids := map[string]string{}, map[string]string{}
	for name, network := range map[string]string{"Front": "web", "back": "web", "lone": "inner"} {
		ids[name] = s.must("run", "-d", "--name", name, "--network", network, "--network-alias", "also-"+name, "--dns", "192.0.2.1", "--dns-search", ".", "--rootfs", rootfs, "sleep", "1000")
		addresses[name] = s.must("inspect", "-f", "{{.NetworkSettings.IPAddress}}", name)
	}
	s.must("network", "connect", "--alias", "inside", "inner", "back")
	asks := func(from, name string) string {
		return s.run("exec", from, "busybox", "nslookup", name).stdout
	}
	found := func(when, from, name, want string) {
		t.Helper()
		s.waitFor(when+", "+from+" finds "+name, func() bool { return strings.Contains(asks(from, name), want) })
	}
	for _, name := range []string{"back", "BACK", "also-back", short(ids["back"])} {
		found("at first", "Front", name, "\nAddress: "+addresses["back"]+"\n")
	}
	found("at first", "back", "front", addresses["Front"])
	found("at first", "back", "also-lone", addresses["lone"])
	found("at first", "Front", addresses["back"], "name = back")
	found("at first", "Front", outside, "192.0.2.99")
	found("at first", "lone", "inside", "Address: ")
	for from, name := range map[string]string{"lone": outside, "Front": "lone"} {
		if got := asks(from, name); !strings.Contains(got, "NXDOMAIN") {
			t.Errorf("%s finds %s: %s", from, name, got)
		}
	}
	if got := s.must("exec", "Front", "cat", "/etc/resolv.conf"); !strings.HasSuffix(got, "nameserver 192.0.2.1") || strings.Count(got, "nameserver") != 2 {
		t.Errorf("resolv.conf is\n%s\nwant the resolver, and then the server that was asked for", got)
	}

	killed := s.resolverPID()
	if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	found("after the resolver was killed", "Front", "back", addresses["back"])
	pid := s.resolverPID()
	if pid == killed {
		t.Errorf("process %d was killed", pid)
	}
	s.kill()
	err := linux.WithinNetNS(filepath.Join(s.dir, "run/netns", ids["Front"]), func() error {
		q := new(dns.Msg)
		q.SetQuestion("back.", dns.TypeA)
		m, err := dns.Exchange(q, gatewayOf(addresses["Front"])+":53")
		if err == nil && (len(m.Answer) != 1 || !strings.HasSuffix(m.Answer[0].String(), addresses["back"])) {
			t.Errorf("without a host: got %v", m)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	s.start()
	s.waitBackend("shim")
	found("under the next host", "Front", "back", addresses["back"])
	if now := s.resolverPID(); now != pid {
		t.Errorf("the next host has another resolver, %d; it was %d", now, pid)
	}
	s.must("rm", "-f", "back")
	if got := asks("Front", "back"); !strings.Contains(got, "NXDOMAIN") {
		t.Errorf("after a removal: %s", got)
	}
	s.must("rm", "-f", "Front", "lone")
	s.must("network", "prune", "-f")
	s.stop()
	if stat, err := linux.StatOf(pid); err == nil && stat.State != 'Z' {
		t.Errorf("process %d is left", pid)
	}
}

// gatewayOf returns the machine's address on the network of an address.
func gatewayOf(address string) string {
	return address[:strings.LastIndexByte(address, '.')] + ".1"
}
