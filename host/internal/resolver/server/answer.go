package server

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// IDName is a name of which every client can ask for the text, in the class of names that are
// about servers, CHAOS: it is [Zones.ID].
const IDName = "id.davit."

// ServeDNS implements dns.Handler.
func (r *resolver) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	if q.Response {
		return // to whom, is not known
	}
	reply := r.reply(addressOf(w.RemoteAddr()), q, transportOf(w.RemoteAddr()))
	size := dns.MaxMsgSize
	if transportOf(w.RemoteAddr()) == udp {
		size = dns.MinMsgSize
		if opt := q.IsEdns0(); opt != nil {
			size = max(size, int(opt.UDPSize()))
		}
	}
	reply.Compress = true
	reply.Truncate(size)
	_ = w.WriteMsg(reply) // who asked may be gone
}

// The transports, as package net calls them.
const (
	udp = "udp"
	tcp = "tcp"
)

func transportOf(a net.Addr) string {
	if _, ok := a.(*net.TCPAddr); ok {
		return tcp
	}
	return udp
}

func addressOf(a net.Addr) netip.Addr {
	p, _ := netip.ParseAddrPort(a.String())
	return p.Addr().Unmap().WithZone("")
}

// reply returns the answer to a message.
func (r *resolver) reply(from netip.Addr, q *dns.Msg, transport string) *dns.Msg {
	zones, _ := r.source.now() // those that it had, if there is no file any more
	v, ok := zones.of(from)
	switch {
	case !ok:
		return failure(q, dns.RcodeRefused)
	case q.Opcode != dns.OpcodeQuery:
		return failure(q, dns.RcodeNotImplemented)
	case len(q.Question) != 1:
		return failure(q, dns.RcodeFormatError)
	}
	question := q.Question[0]
	name := strings.ToLower(question.Name)
	header := dns.RR_Header{Name: question.Name, Rrtype: question.Qtype, Class: question.Qclass, Ttl: uint32(ttl.Seconds())}
	switch {
	case question.Qclass == dns.ClassCHAOS && name == IDName && question.Qtype == dns.TypeTXT:
		return answer(q, &dns.TXT{Hdr: header, Txt: []string{zones.ID}})
	case question.Qclass != dns.ClassINET:
		return failure(q, dns.RcodeRefused)
	}
	if all, ok := v.lookup(strings.TrimSuffix(name, ".")); ok {
		return answer(q, records(header, all)...)
	}
	if a, ok := reverse(name); ok {
		known, within := v.nameOf(a)
		switch {
		case known != "" && question.Qtype == dns.TypePTR:
			return answer(q, &dns.PTR{Hdr: header, Ptr: dns.Fqdn(known)})
		case known != "":
			return answer(q)
		case within:
			return failure(q, dns.RcodeNameError)
		}
	}
	machine := readResolvConf()
	if len(v.servers) == 0 {
		v.servers = machine.servers
	}
	if len(v.search) == 0 {
		v.search = machine.search
	}
	reply := failure(q, dns.RcodeNameError)
	if v.leads() {
		reply = r.forward(q, v.servers, transport)
	}
	if reply.Rcode == dns.RcodeNameError || reply.Rcode == dns.RcodeServerFailure {
		if all, ok := v.inDomain(strings.TrimSuffix(name, "."), v.search); ok {
			return answer(q, records(header, all)...)
		}
	}
	return reply
}

// records returns the addresses of the kind that a header asks for, in any order.
func records(header dns.RR_Header, all []netip.Addr) (found []dns.RR) {
	for _, a := range all {
		switch {
		case a.Is4() && (header.Rrtype == dns.TypeA || header.Rrtype == dns.TypeANY):
			h := header
			h.Rrtype = dns.TypeA
			found = append(found, &dns.A{Hdr: h, A: a.AsSlice()})
		case a.Is6() && (header.Rrtype == dns.TypeAAAA || header.Rrtype == dns.TypeANY):
			h := header
			h.Rrtype = dns.TypeAAAA
			found = append(found, &dns.AAAA{Hdr: h, AAAA: a.AsSlice()})
		}
	}
	rand.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	return found
}

// answer returns the answer with records, which may be none.
func answer(q *dns.Msg, all ...dns.RR) *dns.Msg {
	m := failure(q, dns.RcodeSuccess)
	m.Authoritative, m.Answer = true, all
	return m
}

// failure returns the answer without records.
func failure(q *dns.Msg, code int) *dns.Msg {
	m := new(dns.Msg)
	m.SetRcode(q, code)
	m.RecursionAvailable = true
	if q.IsEdns0() != nil {
		m.SetEdns0(maxDatagram, false)
	}
	return m
}

// maxDatagram is how large datagrams may be that everybody lets pass, in bytes.
const maxDatagram = 1232

// reverse returns the address of a name by which addresses are asked for, in lower case.
func reverse(name string) (a netip.Addr, ok bool) {
	if labels, ok := strings.CutSuffix(name, ".in-addr.arpa."); ok {
		parts := strings.Split(labels, ".")
		for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
			parts[i], parts[j] = parts[j], parts[i]
		}
		a, err := netip.ParseAddr(strings.Join(parts, "."))
		return a, err == nil && a.Is4()
	}
	labels, ok := strings.CutSuffix(name, ".ip6.arpa.")
	const digits = 32
	if parts := strings.Split(labels, "."); ok && len(parts) == digits {
		var b strings.Builder
		for i := digits - 1; i >= 0; i-- {
			b.WriteString(parts[i])
			if i%4 == 0 && i > 0 {
				b.WriteByte(':')
			}
		}
		a, err := netip.ParseAddr(b.String())
		return a, err == nil
	}
	return a, false
}
