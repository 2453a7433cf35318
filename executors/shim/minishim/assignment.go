package minishim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Assignment is what a shim is told that has no container yet.
type Assignment struct {
	// Bundle is the container's bundle. The shim works in it.
	Bundle string `json:"bundle"`
	// Namespace is the one below the runtime's root that holds the container.
	Namespace string `json:"namespace"`
}

// Assign gives a shim a container, and the socket on which it is to serve the
// task API. conn is the other end of the socket that it was started with.
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

// errUnneeded: whoever started the shim has ended without assigning anything.
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
	text, rights := make([]byte, 16<<10), make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := conn.ReadMsgUnix(text, rights)
	if n == 0 {
		return a, nil, errUnneeded
	}
	if err == nil {
		err = json.Unmarshal(text[:n], &a)
	}
	if err != nil {
		return a, nil, fmt.Errorf("assignment: %w", err)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:oobn])
	if err != nil || len(messages) != 1 {
		return a, nil, fmt.Errorf("assignment without a socket: %w", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return a, nil, fmt.Errorf("assignment without a socket: %w", err)
	}
	unix.CloseOnExec(fds[0])
	f := os.NewFile(uintptr(fds[0]), "listener")
	defer f.Close()
	l, err = net.FileListener(f)
	return a, l, err
}
