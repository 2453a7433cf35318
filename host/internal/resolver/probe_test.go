package resolver

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/linux"
	"github.com/hashicorp/go-hclog"
	"github.com/miekg/dns"
)

// TestAnswers asks at addresses where nobody answers, where another server does, and where
// nobody says anything.
func TestAnswers(t *testing.T) {
	answer := func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(q)
		m.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassCHAOS}, Txt: []string{"somebody else"}}}
		_ = w.WriteMsg(m)
	}
	for _, tt := range []struct {
		name   string
		handle dns.HandlerFunc // nil if nobody listens
		id     string
		want   bool
	}{
		{"nobody", nil, "mine", false},
		{"another one", answer, "mine", false},
		{"silence", func(dns.ResponseWriter, *dns.Msg) {}, "mine", false},
		{"the right one", answer, "somebody else", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := Open(Options{ID: tt.id, RunDir: t.TempDir(), Logger: hclog.NewNullLogger()})
			defer m.Close()
			m.probeTime = 300 * time.Millisecond
			if tt.want {
				m.probeTime = time.Minute
			}
			close(m.serving) // as if one had started
			conn, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			at := netip.MustParseAddrPort(conn.LocalAddr().String())
			if tt.handle == nil {
				_ = conn.Close()
			} else {
				started, done := make(chan struct{}), make(chan struct{})
				s := &dns.Server{PacketConn: conn, Handler: tt.handle, NotifyStartedFunc: func() { close(started) }}
				go func() { defer close(done); _ = s.ActivateAndServe() }()
				<-started
				defer func() { _ = s.Shutdown(); <-done }()
			}
			for range 2 { // the second time, what is known is not waited for again
				if got := m.answersAt(t.Context(), linux.NetNS, "net", at); got != tt.want {
					t.Errorf("got %v, want %v", got, tt.want)
				}
				if !tt.want {
					m.probeTime = time.Hour
				}
			}
		})
	}
}
