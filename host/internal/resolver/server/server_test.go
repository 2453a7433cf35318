package server

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

var (
	web, db, lone = netip.MustParseAddr("10.1.0.2"), netip.MustParseAddr("10.1.0.3"), netip.MustParseAddr("10.2.0.2")
	own           = netip.MustParseAddr("10.1.0.4")
	six           = netip.MustParseAddr("fd00::2")
)

// zones has three containers on one network, of which one is also on another, internal one.
func zones() Zones {
	return Zones{
		ID: "the-id",
		Networks: []Network{
			{
				Name: "outer", Subnets: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/24"), netip.MustParsePrefix("fd00::/64")},
				Names:     map[string][]netip.Addr{"web": {web, six}, "www": {web, db}, "db": {db}, "own": {own}},
				Addresses: map[netip.Addr]string{web: "Web", six: "Web", db: "db", own: "own"},
			},
			{
				Name: "inner", Internal: true, Subnets: []netip.Prefix{netip.MustParsePrefix("10.2.0.0/24")},
				Names: map[string][]netip.Addr{"lone": {lone}}, Addresses: map[netip.Addr]string{lone: "lone"},
			},
		},
		Clients: map[netip.Addr]Client{
			web: {Networks: []string{"outer"}}, db: {Networks: []string{"outer", "inner"}}, lone: {Networks: []string{"inner"}},
			own: {Networks: []string{"outer"}, Servers: []string{"127.0.0.4"}, Search: []string{"corp.test"}},
		},
	}
}

// newTest returns a resolver for the zones, on a machine with a resolv.conf, of which the
// servers answer at a port.
func newTest(t *testing.T, z Zones, conf, port string) *resolver {
	t.Helper()
	dir := t.TempDir()
	r := newResolver(filepath.Join(dir, ZonesFile), port)
	write(t, r, z)
	before := machineFile
	machineFile = filepath.Join(dir, "resolv.conf")
	t.Cleanup(func() { machineFile = before })
	if err := os.WriteFile(machineFile, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

// write replaces the zones.
func write(t *testing.T, r *resolver, z Zones) {
	t.Helper()
	text, err := json.Marshal(z)
	if err == nil {
		err = os.WriteFile(r.source.path+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(r.source.path+".new", r.source.path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func question(name string, kind uint16) *dns.Msg {
	q := new(dns.Msg)
	q.SetQuestion(name, kind)
	return q
}

// show describes a reply.
func show(m *dns.Msg) string {
	if m.Rcode != dns.RcodeSuccess {
		return dns.RcodeToString[m.Rcode]
	}
	var all []string
	for _, rr := range m.Answer {
		all = append(all, strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// A teller is a name server of others: it knows one name for itself, lets others wait, and
// says a name of 40 addresses.
func teller(t *testing.T, address, port string) (at string) {
	t.Helper()
	handle := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(q)
		switch name := q.Question[0].Name; {
		case name == "here."+address+".test." || name == "web.example.test.":
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.ParseIP(address)}}
		case name == "large.test.":
			for i := range 40 {
				m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(9, 9, 9, byte(i))})
			}
		case name == "broken.test.":
			m.SetRcode(q, dns.RcodeServerFailure)
		case name == "other.test.":
			m.Question[0].Name = "another.test."
		default:
			m.SetRcode(q, dns.RcodeNameError)
		}
		if _, ok := w.RemoteAddr().(*net.UDPAddr); ok {
			m.Truncate(dns.MinMsgSize)
		}
		_ = w.WriteMsg(m)
	})
	conn, err := net.ListenPacket("udp", net.JoinHostPort(address, port))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*dns.Server{{PacketConn: conn, Handler: handle}, {Listener: l, Handler: handle}} {
		started, done := make(chan struct{}), make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { defer close(done); _ = s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = s.Shutdown(); <-done })
	}
	_, at, _ = net.SplitHostPort(conn.LocalAddr().String())
	return at
}

// TestAnswers asks as each client.
func TestAnswers(t *testing.T) {
	port := teller(t, "127.0.0.3", "0")
	teller(t, "127.0.0.4", port)
	r := newTest(t, zones(), "domain nothing.test\nnameserver 127.0.0.9\nnameserver nonsense\nnameserver 127.0.0.3\nsearch example.test other.test\n", port)
	stranger := netip.MustParseAddr("192.0.2.9")
	for _, tt := range []struct {
		from netip.Addr
		name string
		kind uint16
		want string
	}{
		{web, "db.", dns.TypeA, "10.1.0.3"},
		{web, "DB.", dns.TypeA, "10.1.0.3"},
		{web, "web.", dns.TypeA, "10.1.0.2"},
		{web, "web.", dns.TypeAAAA, "fd00::2"},
		{web, "web.", dns.TypeANY, "10.1.0.2 fd00::2"},
		{web, "db.", dns.TypeAAAA, ""}, // there is the name, without such an address
		{web, "db.", dns.TypeMX, ""},
		{web, "www.", dns.TypeA, "10.1.0.2 10.1.0.3"},
		{web, "lone.", dns.TypeA, "NXDOMAIN"}, // on another network
		{db, "lone.", dns.TypeA, "10.2.0.2"},
		{lone, "lone.", dns.TypeA, "10.2.0.2"},
		{lone, "db.", dns.TypeA, "NXDOMAIN"},
		{web, "2.0.1.10.in-addr.arpa.", dns.TypePTR, "Web."},
		{web, "2.0.1.10.in-addr.arpa.", dns.TypeA, ""},
		{web, "9.0.1.10.in-addr.arpa.", dns.TypePTR, "NXDOMAIN"},
		{web, "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.", dns.TypePTR, "Web."},
		{web, "4.3.2.1.in-addr.arpa.", dns.TypePTR, "NXDOMAIN"}, // asked of others
		{web, "x.y.in-addr.arpa.", dns.TypePTR, "NXDOMAIN"},
		// What others know, over a server that does not answer.
		{web, "here.127.0.0.3.test.", dns.TypeA, "127.0.0.3"},
		{db, "here.127.0.0.3.test.", dns.TypeA, "127.0.0.3"},
		{own, "here.127.0.0.4.test.", dns.TypeA, "127.0.0.4"},
		{own, "here.127.0.0.3.test.", dns.TypeA, "NXDOMAIN"},
		{lone, "here.127.0.0.3.test.", dns.TypeA, "NXDOMAIN"}, // an internal network leads nowhere
		{web, "broken.test.", dns.TypeA, "SERVFAIL"},
		{web, "other.test.", dns.TypeA, "SERVFAIL"}, // the answer is that to another question
		// Short names in domains, unless others know them.
		{web, "db.example.test.", dns.TypeA, "10.1.0.3"},
		{web, "web.example.test.", dns.TypeA, "127.0.0.3"},
		{web, "db.nothing.test.", dns.TypeA, "NXDOMAIN"},
		{own, "db.corp.test.", dns.TypeA, "10.1.0.3"},
		{own, "db.example.test.", dns.TypeA, "NXDOMAIN"},
		{lone, "lone.example.test.", dns.TypeA, "10.2.0.2"},
		{stranger, "web.", dns.TypeA, "REFUSED"},
		{stranger, "here.127.0.0.3.test.", dns.TypeA, "REFUSED"},
	} {
		q := question(tt.name, tt.kind)
		got := r.reply(tt.from, q, udp)
		if show(got) != tt.want || got.Id != q.Id || !got.Response {
			t.Errorf("%s asks for %s %s: got %q, want %q (%v)", tt.from, tt.name, dns.TypeToString[tt.kind], show(got), tt.want, got)
		}
	}
	id := question(IDName, dns.TypeTXT)
	id.Question[0].Qclass = dns.ClassCHAOS
	if got := show(r.reply(web, id, udp)); got != `"the-id"` {
		t.Errorf("the id is %s", got)
	}
	for name, change := range map[string]func(*dns.Msg){
		"REFUSED": func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassHESIOD },
		"NOTIMP":  func(m *dns.Msg) { m.Opcode = dns.OpcodeUpdate },
		"FORMERR": func(m *dns.Msg) { m.Question = nil },
	} {
		q := question("web.", dns.TypeA)
		change(q)
		if got := show(r.reply(web, q, udp)); got != name {
			t.Errorf("got %s, want %s", got, name)
		}
	}
}

// TestZonesChange replaces the file under a resolver, damages and removes it.
func TestZonesChange(t *testing.T) {
	r := newTest(t, zones(), "", "1")
	ask := func() string { return show(r.reply(lone, question("lone.", dns.TypeA), udp)) }
	if got := ask(); got != "10.2.0.2" {
		t.Fatal(got)
	}
	z := zones()
	z.Networks[1].Names["lone"] = []netip.Addr{netip.MustParseAddr("10.2.0.7")}
	write(t, r, z)
	if got := ask(); got != "10.2.0.7" {
		t.Errorf("after a change: got %s", got)
	}
	for _, change := range []func() error{
		func() error { return os.WriteFile(r.source.path, []byte(`{"networks":`), 0o600) },
		func() error { return os.Remove(r.source.path) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if got := ask(); got != "10.2.0.7" {
			t.Errorf("without a file that can be read: got %s", got)
		}
	}
}

// TestTransports asks over the network: what does not fit into a datagram comes by TCP.
func TestTransports(t *testing.T) {
	port := teller(t, "127.0.0.3", "0")
	z := zones()
	here := netip.MustParseAddr("127.0.0.1")
	z.Clients[here] = Client{Networks: []string{"outer"}}
	for i := range 60 {
		z.Networks[0].Names["many"] = append(z.Networks[0].Names["many"], netip.AddrFrom4([4]byte{10, 1, 0, byte(100 + i)}))
	}
	r := newTest(t, z, "nameserver 127.0.0.3\n", port)
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*dns.Server{{PacketConn: conn, Handler: r}, {Listener: l, Handler: r}} {
		started, done := make(chan struct{}), make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { defer close(done); _ = s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = s.Shutdown(); <-done })
	}
	orders := map[string]bool{}
	for _, tt := range []struct {
		name      string
		count     int
		truncated bool // if asked by UDP
	}{{"www.", 2, false}, {"many.", 60, true}, {"large.test.", 40, true}} {
		for transport, edns := range map[string]uint16{"udp": 0, "tcp": 0, "udp4": 4096} {
			c := &dns.Client{Net: transport, Timeout: 30 * time.Second}
			q := question(tt.name, dns.TypeA)
			if edns > 0 {
				q.SetEdns0(edns, false)
				c.UDPSize = edns
			}
			m, _, err := c.Exchange(q, conn.LocalAddr().String())
			if err != nil {
				t.Errorf("%s by %s: %v", tt.name, transport, err)
				continue
			}
			// Others may say less by UDP than they could.
			if cut := tt.truncated && transport == "udp"; m.Truncated != cut && transport != "udp4" || !m.Truncated && len(m.Answer) != tt.count {
				t.Errorf("%s by %s: got %d answers, truncated %v; want %d, %v", tt.name, transport, len(m.Answer), m.Truncated, tt.count, cut)
			}
		}
	}
	for range 50 {
		m, err := dns.Exchange(question("www.", dns.TypeA), conn.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		orders[fmt.Sprint(m.Answer[0])] = true
	}
	if len(orders) != 2 {
		t.Errorf("of two addresses, the first is always %v", orders)
	}
	// What is no question gets no answer, and harms nothing.
	for _, bad := range [][]byte{nil, {1}, make([]byte, 12), make([]byte, 600)} {
		c, err := net.Dial("udp", conn.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write(bad)
		_ = c.Close()
	}
	if m, err := dns.Exchange(question("db.", dns.TypeA), conn.LocalAddr().String()); err != nil || show(m) != "10.1.0.3" {
		t.Errorf("after garbage: %v, %v", m, err)
	}
}

func FuzzReply(f *testing.F) {
	for _, name := range []string{"web.", "2.0.1.10.in-addr.arpa.", "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.", "lone.corp.test."} {
		text, err := question(name, dns.TypePTR).Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	text, err := json.Marshal(zones())
	if err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(f.TempDir(), ZonesFile)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		f.Fatal(err)
	}
	r := newResolver(path, "1")
	f.Fuzz(func(t *testing.T, text []byte) {
		q := new(dns.Msg)
		if q.Unpack(text) != nil {
			return
		}
		if m := r.reply(lone, q, udp); m == nil || m.Id != q.Id {
			t.Errorf("got %v to %v", m, q)
		}
	})
}
