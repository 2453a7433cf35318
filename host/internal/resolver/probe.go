package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/davit-run/davit/host/internal/resolver/server"
	"github.com/davit-run/davit/shared/linux"
	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
)

const (
	// probeTime is how long the resolver has to answer, on a busy machine.
	probeTime = 2 * time.Second
	probePoll = 100 * time.Millisecond
	// silentTime is how long one that did not answer is not asked again.
	silentTime = 10 * time.Minute
)

// Answers reports whether the resolver answers at a gateway in a network namespace. It waits
// for one that is being started. Where it does not answer, that is logged, with what to do.
func (m *Manager) Answers(ctx context.Context, netns, network string, gateway netip.Addr) bool {
	const port = 53
	return m.answersAt(ctx, netns, network, netip.AddrPortFrom(gateway, port))
}

func (m *Manager) answersAt(ctx context.Context, netns, network string, at netip.AddrPort) bool {
	m.mu.Lock()
	serving, last := m.serving, m.silent[network]
	m.mu.Unlock()
	if !last.IsZero() && time.Since(last) < silentTime {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, m.probeTime)
	defer cancel()
	var err error
	select {
	case <-serving:
		err = m.probe(ctx, netns, at)
	case <-ctx.Done():
		err = errors.New("it has not started")
	}
	if err == nil {
		return true
	}
	if m.ctx.Err() == nil && !errors.Is(err, context.Canceled) {
		m.mu.Lock()
		m.silent[network] = time.Now()
		m.mu.Unlock()
		m.opts.Logger.Warn("containers of a network cannot ask the resolver, and find each other by /etc/hosts only; if a firewall drops what they send to this machine, allow what comes in from the bridge",
			"network", network, "address", at.Addr().String(), "port", server.Port, "error", err)
	}
	return false
}

// probe asks the resolver who it is, until it answers or ctx ends.
func (m *Manager) probe(ctx context.Context, netns string, at netip.AddrPort) (err error) {
	q := new(dns.Msg)
	q.SetQuestion(server.IDName, dns.TypeTXT)
	q.Question[0].Qclass = dns.ClassCHAOS
	client := &dns.Client{Timeout: probePoll}
	for {
		var conn net.Conn
		err = linux.WithinNetNS(netns, func() (err error) {
			conn, err = net.Dial("udp", at.String())
			return err
		})
		if err != nil {
			return err
		}
		q.Id = dns.Id()
		reply, _, aerr := client.ExchangeWithConnContext(ctx, q, &dns.Conn{Conn: conn})
		_ = conn.Close()
		if aerr == nil {
			if len(reply.Answer) == 1 {
				if txt, ok := reply.Answer[0].(*dns.TXT); ok && len(txt.Txt) == 1 && txt.Txt[0] == m.opts.ID {
					return nil
				}
			}
			aerr = fmt.Errorf("another server answers: %s", dns.RcodeToString[reply.Rcode])
		}
		pause := probePoll / 10
		if !errors.Is(aerr, unix.ECONNREFUSED) {
			pause = probePoll / 5
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return aerr
		}
	}
}
