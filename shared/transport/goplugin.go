package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"strings"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
)

// Handshake returns the handshake by which an executor knows that a davit host has
// started it.
func Handshake() goplugin.HandshakeConfig {
	return goplugin.HandshakeConfig{
		ProtocolVersion:  ProtocolVersion,
		MagicCookieKey:   "DAVIT_EXECUTOR",
		MagicCookieValue: "d9a1f2a4c7e84c0f8f0c6f7a3c0d5be1",
	}
}

// HandshakeEnv returns the environment variables for an executor that a host starts
// itself, without go-plugin. They carry the handshake and the protocols that the host
// speaks. The executor's handshake line has the newest of these that it speaks too,
// or another one if there is none.
func HandshakeEnv() []string {
	h := Handshake()
	return []string{
		h.MagicCookieKey + "=" + h.MagicCookieValue,
		"PLUGIN_PROTOCOL_VERSIONS=" + strings.ReplaceAll(numbers(Protocols()), " ", ""),
	}
}

// Both ids are the host's choice, so that no plugin can wedge its broker.
// They are far from those that the broker counts up for itself.
const (
	pluginName     = "executor"
	streamToPlugin = 0x44415601
	streamToHost   = 0x44415602
)

// PluginSet is what an executor serves with go-plugin. For each connection of a host,
// session returns the handlers of its calls.
func PluginSet(logger hclog.Logger, session func(*Conn) Handlers) goplugin.PluginSet {
	return goplugin.PluginSet{pluginName: &executorPlugin{logger: logger, session: session}}
}

// VersionedPlugins returns set for each of the protocols that an executor speaks.
// They share it, since each connection agrees on its protocol by Hello.
func VersionedPlugins(set goplugin.PluginSet) map[int]goplugin.PluginSet {
	versioned := map[int]goplugin.PluginSet{}
	for _, protocol := range Protocols() {
		versioned[protocol] = set
	}
	return versioned
}

// executorPlugin is the go-plugin Plugin of both sides.
type executorPlugin struct {
	logger  hclog.Logger
	session func(*Conn) Handlers
}

// Server runs in the executor, once per connection, when the host dispenses.
func (p *executorPlugin) Server(broker *goplugin.MuxBroker) (any, error) {
	go func() {
		out, in, err := openStreams(broker, streamToHost, streamToPlugin)
		if err != nil {
			p.logger.Warn("host did not open its streams", "error", err)
			_ = broker.Close()
			return
		}
		newConn(out, in, p.session, p.logger, func() { _ = broker.Close() })
	}()
	return &dispensed{}, nil
}

// Client runs in the host. The dispensed connection itself stays unused.
func (p *executorPlugin) Client(broker *goplugin.MuxBroker, c *rpc.Client) (any, error) {
	return broker, c.Close()
}

// dispensed has a method because net/rpc refuses a type without one.
type dispensed struct{}

// Ping does nothing.
func (*dispensed) Ping(Empty, *Empty) error { return nil }

// openStreams opens the stream for our calls and takes the one for the peer's.
func openStreams(broker *goplugin.MuxBroker, outID, inID uint32) (out, in io.ReadWriteCloser, err error) {
	type result struct {
		conn net.Conn
		err  error
	}
	dialed := make(chan result, 1)
	go func() {
		conn, err := broker.Dial(outID)
		dialed <- result{conn, err}
	}()
	accepted, acceptErr := broker.Accept(inID)
	if acceptErr != nil {
		_ = broker.Close() // ends the dial too
	}
	d := <-dialed
	if err := errors.Join(acceptErr, d.err); err != nil {
		return nil, nil, err
	}
	return d.conn, accepted, nil
}

// Serve serves one connection of a host, as an executor in this process does. It returns
// when the connection ends.
func Serve(conn net.Conn, set goplugin.PluginSet) {
	server := goplugin.RPCServer{Plugins: set, Stdout: strings.NewReader(""), Stderr: strings.NewReader("")}
	server.ServeConn(guard(conn))
}

// Connect returns a Conn on a connection to an executor's socket, as the host. ctx
// bounds the setup alone. On an error conn is closed.
func Connect(ctx context.Context, conn net.Conn, handlers func(*Conn) Handlers, logger hclog.Logger) (*Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	guarded := guard(conn)
	c, err := connect(guarded, handlers, logger)
	if !stop() && err == nil {
		_ = c.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close()
		if cause := cmp.Or(guarded.reason(), context.Cause(ctx)); cause != nil {
			err = cause
		}
		return nil, fmt.Errorf("connecting to the executor: %w", err)
	}
	return c, nil
}

func connect(conn net.Conn, handlers func(*Conn) Handlers, logger hclog.Logger) (*Conn, error) {
	client, err := goplugin.NewRPCClient(conn, PluginSet(logger, nil))
	if err != nil {
		return nil, err
	}
	dispensed, err := client.Dispense(pluginName)
	if err != nil {
		return nil, err
	}
	out, in, err := openStreams(dispensed.(*goplugin.MuxBroker), streamToPlugin, streamToHost)
	if err != nil {
		return nil, err
	}
	// client.Close would tell the executor to quit, for all its hosts. Closing
	// the socket below it only hangs up.
	return newConn(out, in, handlers, logger, func() { _ = conn.Close() }), nil
}
