package minishim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// Assignment names the container that a shim is to serve.
type Assignment struct {
	// Bundle is the container's bundle. The shim works in it.
	Bundle string `json:"bundle"`
	// Namespace is the namespace below the runtime's root in which the container is.
	Namespace string `json:"namespace"`
	// Output has what the task API does not know of the streams for output, which it
	// names by their paths: limits and indexes.
	Output []executor.Stream `json:"output,omitempty"`
}

// Assign sends a shim its container, and the socket on which it is to serve the task
// API. conn is the other end of the socket that it was started with.
func Assign(conn *net.UnixConn, a Assignment, l *net.UnixListener) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	f, err := l.File()
	if err != nil {
		return err
	}
	defer f.Close()
	_, _, err = conn.WriteMsgUnix(text, unix.UnixRights(int(f.Fd())), nil)
	return err
}

// errUnneeded means that whoever started the shim has ended without an assignment.
var errUnneeded = errors.New("there is nothing to do")

// receive waits for the assignment.
func receive(inherited *os.File) (a Assignment, l net.Listener, err error) {
	c, err := net.FileConn(inherited)
	if err = errors.Join(err, inherited.Close()); err != nil {
		return a, nil, err
	}
	defer c.Close()
	conn, ok := c.(*net.UnixConn)
	if !ok {
		return a, nil, errors.New("the inherited socket is not a Unix socket")
	}
	text, f, err := receiveFile(conn)
	if len(text) == 0 {
		return a, nil, errUnneeded
	}
	if err == nil {
		defer f.Close()
		err = json.Unmarshal(text, &a)
	}
	if err != nil {
		return a, nil, fmt.Errorf("assignment: %w", err)
	}
	l, err = net.FileListener(f)
	return a, l, err
}

// receiveFile receives a message with a file. Without an error there is a file;
// an empty message is the end.
func receiveFile(conn *net.UnixConn) (message []byte, f *os.File, err error) {
	text, rights := make([]byte, 64<<10), make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := conn.ReadMsgUnix(text, rights)
	if n == 0 || err != nil {
		return nil, nil, errors.Join(err, io.ErrUnexpectedEOF)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:oobn])
	if err != nil || len(messages) != 1 {
		return text[:n], nil, fmt.Errorf("message without a file: %w", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return text[:n], nil, fmt.Errorf("message without a file: %w", err)
	}
	unix.CloseOnExec(fds[0])
	return text[:n], os.NewFile(uintptr(fds[0]), "received"), nil
}
