package conformance

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/plugin"
	"github.com/davit-run/davit/shared/transport"
	"github.com/hashicorp/go-hclog"
)

// hostVersion is what the suite's hosts say of themselves.
const hostVersion = "conformance"

// wire is a link over the transport.
type wire struct {
	launch func() (peer, error)
	logged func() string
	peer   peer
	epoch  uint64
	client transport.Client
}

func closeBackend(ctx context.Context, client transport.Client) error {
	_, err := transport.MethodClose.Call(ctx, client, transport.None{})
	return err
}

// peer is the process at the other end of a wire.
type peer interface {
	dial(ctx context.Context) (net.Conn, error)
	// end makes sure that the process ends. asked says that it was asked to close;
	// otherwise it is killed.
	end(ctx context.Context, asked bool) error
	// killable reports whether end needs no asking.
	killable() bool
}

func (w *wire) start() error {
	p, err := w.launch()
	if err != nil {
		return err
	}
	w.peer = p
	return nil
}

func (w *wire) connect(ctx context.Context, env executor.Environment, host *testHost) (transport.Caller, []executor.Capability, error) {
	client, err := w.dial(ctx, host)
	if err != nil {
		return nil, nil, err
	}
	w.client = client
	w.epoch++
	if _, err := client.Hello(ctx, transport.Hello{Version: hostVersion, Epoch: w.epoch}); err != nil {
		return nil, nil, err
	}
	reply, err := transport.MethodOpen.Call(ctx, client, env)
	w.client.Capabilities = reply.Capabilities
	return w.client, reply.Capabilities, err
}

// dial returns a connection that has not said hello.
func (w *wire) dial(ctx context.Context, host *testHost) (transport.Client, error) {
	raw, err := w.peer.dial(ctx)
	if err != nil {
		return transport.Client{}, err
	}
	conn, err := transport.Connect(ctx, raw, func(*transport.Conn) transport.Handlers { return transport.HostHandlers(host) }, hclog.NewNullLogger())
	return transport.Client{Conn: conn}, err
}

func (w *wire) disconnect() {
	if w.client.Conn != nil {
		_ = w.client.Close()
		w.client = transport.Client{}
	}
}

func (w *wire) close(ctx context.Context) error {
	if w.peer == nil {
		return nil
	}
	var err error
	asked := w.client.Conn != nil
	if asked {
		err = closeBackend(ctx, w.client)
	}
	w.disconnect()
	err = errors.Join(err, w.peer.end(ctx, asked && err == nil))
	w.peer = nil
	return err
}

func (w *wire) kill(ctx context.Context) {
	if w.peer != nil && w.peer.killable() {
		_ = w.peer.end(ctx, false)
		w.disconnect()
		w.peer = nil
	}
	_ = w.close(ctx)
}

func (w *wire) log() string { return w.logged() }

// inside is a peer within this process.
type inside struct {
	server *plugin.Server
	serve  func(net.Conn, *plugin.Server)
	served sync.WaitGroup
}

// insideWire returns a wire to target.Executor in this process.
func insideWire(target *Target) *wire {
	var logged logBuffer
	logger := hclog.New(&hclog.LoggerOptions{Output: &logged, Level: hclog.Debug})
	return &wire{
		launch: func() (peer, error) {
			return &inside{server: plugin.NewServer(*target.Executor, logger), serve: target.serve}, nil
		},
		logged: logged.tail,
	}
}

func (p *inside) dial(context.Context) (net.Conn, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	p.served.Go(func() { p.serve(theirs, p.server) })
	return ours, nil
}

func socketPair() (a, b net.Conn, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	a, errA := fdConn(fds[0])
	b, errB := fdConn(fds[1])
	return a, b, errors.Join(errA, errB)
}

func fdConn(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "socketpair")
	defer f.Close()
	return net.FileConn(f)
}

func (p *inside) end(context.Context, bool) error {
	p.served.Wait()
	return nil
}

func (p *inside) killable() bool { return false }

// logTail is how much of a log a report shows, in bytes.
const logTail = 4 << 10

// logBuffer keeps the end of what is written to it.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf.Write(p)
	if extra := b.buf.Len() - logTail; extra > logTail {
		b.buf.Next(extra)
	}
	return len(p), nil
}

func (b *logBuffer) tail() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return tailOf(b.buf.Bytes())
}

func tailOf(logged []byte) string { return string(logged[max(0, len(logged)-logTail):]) }
