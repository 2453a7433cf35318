package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

// Streams of calls, by their broker id: in the direction that the name says.
const (
	toExecutor = 0x44415601
	toHost     = 0x44415602
)

// Request, Response, CancelRequest and Empty are all that gob carries.
type Request struct {
	ID          uint64
	Timeout     int64
	Method      string
	Traceparent string
	Body        []byte
}

type Response struct {
	Code    string
	Message string
	Body    []byte
}

type CancelRequest struct{ ID uint64 }

type Empty struct{}

// Davit is the RPC service of both sides.
type Davit struct {
	answer func(method string, body []byte) (reply string, code string)
}

func (d *Davit) Do(req *Request, resp *Response) error {
	reply, code := d.answer(req.Method, req.Body)
	if code != "" {
		resp.Code, resp.Message = code, reply
	} else {
		resp.Body = []byte(reply)
	}
	return nil
}

func (d *Davit) Cancel(*CancelRequest, *Empty) error { return nil }

// broker numbers the streams of a connection as go-plugin does: whoever opens one
// writes its id, and gets it back when the other side accepts it.
type broker struct {
	session *yamux.Session

	mu      sync.Mutex
	arrived map[uint32]chan net.Conn
}

func newBroker(session *yamux.Session) *broker {
	return &broker{session: session, arrived: map[uint32]chan net.Conn{}}
}

func (b *broker) slot(id uint32) chan net.Conn {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.arrived[id] == nil {
		b.arrived[id] = make(chan net.Conn, 1)
	}
	return b.arrived[id]
}

func (b *broker) run() {
	for {
		stream, err := b.session.AcceptStream()
		if err != nil {
			return
		}
		var id uint32
		if binary.Read(stream, binary.LittleEndian, &id) == nil {
			b.slot(id) <- stream
		}
	}
}

func (b *broker) accept(id uint32) (net.Conn, error) {
	select {
	case conn := <-b.slot(id):
		return conn, binary.Write(conn, binary.LittleEndian, id)
	case <-time.After(30 * time.Second):
		return nil, fmt.Errorf("stream %x was not opened", id)
	}
}

func (b *broker) dial(id uint32) (net.Conn, error) {
	conn, err := b.session.OpenStream()
	if err != nil {
		return nil, err
	}
	if err := binary.Write(conn, binary.LittleEndian, id); err != nil {
		return nil, err
	}
	var echo uint32
	if err := binary.Read(conn, binary.LittleEndian, &echo); err != nil || echo != id {
		return nil, fmt.Errorf("stream %x was answered with %x: %v", id, echo, err)
	}
	return conn, nil
}

// both opens the stream for our calls and takes the one for the other side's.
func (b *broker) both(out, in uint32) (*rpc.Client, io.ReadWriteCloser, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	dialed := make(chan result, 1)
	go func() {
		conn, err := b.dial(out)
		dialed <- result{conn, err}
	}()
	accepted, err := b.accept(in)
	if err != nil {
		return nil, nil, err
	}
	d := <-dialed
	if d.err != nil {
		return nil, nil, d.err
	}
	return rpc.NewClient(d.conn), accepted, nil
}

func serve(conn io.ReadWriteCloser, d *Davit) {
	server := rpc.NewServer()
	if err := server.Register(d); err != nil {
		fail("%v", err)
	}
	server.ServeConn(conn)
}

// call makes a call and gives the body of the reply, or the code of the error.
func call(client *rpc.Client, id uint64, method, body string) (reply, code string, err error) {
	req := &Request{ID: id, Timeout: int64(30 * time.Second), Method: method, Body: []byte(body)}
	resp := &Response{}
	done := client.Go("Davit.Do", req, resp, make(chan *rpc.Call, 1)).Done
	select {
	case c := <-done:
		return string(resp.Body), resp.Code, c.Error
	case <-time.After(30 * time.Second):
		return "", "", fmt.Errorf("%s: no answer", method)
	}
}
