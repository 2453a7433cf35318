package server

import (
	"context"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	// forwardTime bounds an answer of others. Who asks waits for 5 seconds, most often.
	forwardTime = 4 * time.Second
	// serverTime bounds that of one server, if there are others.
	serverTime = 2 * time.Second
	// maxForwards bounds the questions that others have not answered yet.
	maxForwards = 512
)

// forward asks other servers, one after the other.
func (r *resolver) forward(q *dns.Msg, servers []string, transport string) *dns.Msg {
	select {
	case r.forwards <- struct{}{}:
		defer func() { <-r.forwards }()
	default:
		return failure(q, dns.RcodeServerFailure)
	}
	ctx, cancel := context.WithTimeout(context.Background(), forwardTime)
	defer cancel()
	var last *dns.Msg
	for _, server := range servers {
		reply, err := r.ask(ctx, q, server, transport)
		if err != nil {
			continue
		}
		last = reply
		if reply.Rcode != dns.RcodeServerFailure && reply.Rcode != dns.RcodeRefused && reply.Rcode != dns.RcodeNotImplemented {
			break // the others would say the same
		}
	}
	if last == nil {
		return failure(q, dns.RcodeServerFailure)
	}
	last.Id = q.Id
	return last
}

// ask asks one server. It asks under another id than the client, which could be guessed.
func (r *resolver) ask(ctx context.Context, q *dns.Msg, server, transport string) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, serverTime)
	defer cancel()
	question := q.Copy()
	question.Id = dns.Id()
	client := &dns.Client{Net: transport, Timeout: serverTime}
	if opt := q.IsEdns0(); opt != nil {
		client.UDPSize = opt.UDPSize()
	}
	reply, _, err := client.ExchangeContext(ctx, question, net.JoinHostPort(server, r.upstream))
	if err != nil {
		return nil, err
	}
	if len(reply.Question) != 1 || !sameQuestion(reply.Question[0], q.Question[0]) {
		return nil, dns.ErrId // it is not the answer
	}
	return reply, nil
}

func sameQuestion(a, b dns.Question) bool {
	return strings.EqualFold(a.Name, b.Name) && a.Qtype == b.Qtype && a.Qclass == b.Qclass
}
