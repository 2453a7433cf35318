package storm

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/linux"
	"github.com/miekg/dns"
)

// askAlways asks by DNS, from within a container, for the name of another, for as long as until
// lasts. Each answer is right, and there is one soon after the resolver has been killed.
func (s *storm) askAlways(until context.Context, l, other *life) {
	answered := time.Now()
	for pause(until, 20*time.Millisecond) {
		begin := time.Now()
		got, err := s.resolve(l, other.name())
		switch {
		case until.Err() != nil:
			return
		case err == nil && got == other.net.address:
			if gap := begin.Sub(answered); gap > 500*time.Millisecond {
				s.report.took("names without a resolver", gap)
			}
			answered = begin
			s.report.count("answers of the resolver", 1)
		case err == nil || !s.excused(answered):
			s.report.bad(unnamed, "%v asks for %s by DNS: got %s, %v, for %s; want %s", l, other.name(), got, err, time.Since(answered).Round(time.Millisecond), other.net.address)
			return
		}
	}
}

// resolve asks the first address of a container's network for a name, and returns the answer.
func (s *storm) resolve(l *life, name string) (answer string, err error) {
	const most = 5 * time.Second // as programs wait
	gateway := l.net.address[:strings.LastIndexByte(l.net.address, '.')] + ".1"
	var conn net.Conn
	err = linux.WithinNetNS(filepath.Join(s.site.dir, "run/netns", l.id), func() (err error) {
		conn, err = net.Dial("udp4", net.JoinHostPort(gateway, "53"))
		return err
	})
	if err != nil {
		return "", err
	}
	defer conn.Close()
	q := new(dns.Msg)
	q.SetQuestion(name+".", dns.TypeA)
	m, _, err := (&dns.Client{Timeout: most}).ExchangeWithConn(q, &dns.Conn{Conn: conn})
	if err != nil {
		return "", err
	}
	if len(m.Answer) == 1 {
		if a, ok := m.Answer[0].(*dns.A); ok {
			return a.A.String(), nil
		}
	}
	return fmt.Sprintf("%s with %d answers", dns.RcodeToString[m.Rcode], len(m.Answer)), nil
}

// killResolver kills the process that answers by DNS.
func (s *storm) killResolver() bool {
	p, ok := only(s.isResolver)
	if !ok {
		return false
	}
	defer s.disturb()()
	return signalTo(p, s.isResolver, syscall.SIGKILL)
}

func (s *storm) isResolver(p process) bool {
	return p.args[0] == "davit-resolver" && p.cwd == filepath.Join(s.site.dir, "run/dns")
}
