package conformance

import (
	"context"
	"encoding/json"
	"net"

	"github.com/davit-run/davit/shared/plugin"
	"github.com/davit-run/davit/shared/transport"
	"github.com/hashicorp/go-hclog"
)

// altered is a call that passes through a proxy, once it has been answered.
type altered struct {
	method  string
	request []byte
	reply   json.RawMessage
	err     error
}

// alter makes a faulty kit of a good one by changing answers.
type alter func(*altered)

// proxy serves a connection with the kit, and alters what passes.
func proxy(fault alter) func(net.Conn, *plugin.Server) {
	return func(conn net.Conn, server *plugin.Server) {
		ours, theirs, err := socketPair()
		if err != nil {
			panic(err)
		}
		served := make(chan struct{})
		go func() {
			defer close(served)
			plugin.ServeConn(theirs, server)
		}()
		session := func(outer *transport.Conn) transport.Handlers {
			inner, err := transport.Connect(context.Background(), ours, func(*transport.Conn) transport.Handlers {
				return forward(outer, fault)
			}, hclog.NewNullLogger())
			if err != nil {
				panic(err)
			}
			go func() {
				<-outer.Done()
				_ = inner.Close()
			}()
			go func() {
				<-inner.Done()
				_ = outer.Close()
			}()
			return forward(inner, fault)
		}
		transport.Serve(conn, transport.PluginSet(hclog.NewNullLogger(), session))
		<-served
	}
}

// forward returns handlers that make the same call to another connection.
func forward(to *transport.Conn, fault alter) transport.Handlers {
	handlers := transport.Handlers{}
	for _, entry := range transport.Methods() {
		method := entry.Name
		handlers[method] = func(ctx context.Context, body []byte) (any, error) {
			c := altered{method: method, request: body}
			c.err = to.Call(ctx, method, json.RawMessage(body), &c.reply)
			if ctx.Err() != nil {
				return nil, ctx.Err() // as the good kit would say
			}
			fault(&c)
			return c.reply, c.err
		}
	}
	return handlers
}
