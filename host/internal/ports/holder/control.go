package holder

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"time"
)

// controlTime bounds a conversation with the host.
const controlTime = 5 * time.Second

// control answers the host, until what it returns is closed.
func (h *holder) control() (io.Closer, error) {
	if err := os.Remove(Socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", Socket)
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err == nil {
				go h.answer(conn)
			} else if !again(err) {
				return
			}
		}
	}()
	return l, nil
}

// answer carries out a request.
func (h *holder) answer(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(controlTime))
	var r Request
	if json.NewDecoder(conn).Decode(&r) != nil {
		return
	}
	if r.Target.IsValid() {
		h.target.Store(&r.Target)
		h.target6.Store(&r.Target6)
	}
	_ = json.NewEncoder(conn).Encode(h.state())
}
