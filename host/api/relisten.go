package api

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// remakePause is the wait before a socket that could not be made again is tried again.
const remakePause = 5 * time.Second

// listener is a socket that is made again when somebody removes its file: a cleaner of
// /run, or a hand. Without it nobody could reach the host until it is started anew.
type listener struct {
	quit chan struct{}
	done chan struct{}
	once sync.Once

	mu      sync.Mutex
	socket  Socket // its group may change
	closed  bool
	current *net.UnixListener
	file    os.FileInfo // of the socket
}

func newListener(s Socket, l *net.UnixListener) (*listener, error) {
	file, err := os.Lstat(s.Path)
	if err != nil {
		return nil, err
	}
	if s.Logger == nil {
		s.Logger = silent{}
	}
	made := &listener{socket: s, quit: make(chan struct{}), done: make(chan struct{}), current: l, file: file}
	go made.watch()
	return made, nil
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		current := l.now()
		conn, err := current.Accept()
		if err == nil || current == l.now() {
			return conn, err
		}
	}
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.now().Addr() }

// Close implements net.Listener.
func (l *listener) Close() (err error) {
	err = net.ErrClosed
	l.once.Do(func() {
		close(l.quit)
		there := l.there()
		l.mu.Lock()
		l.closed = true
		l.current.SetUnlinkOnClose(there)
		err = l.current.Close()
		l.mu.Unlock()
		<-l.done
	})
	return err
}

func (l *listener) now() *net.UnixListener {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// there reports whether the path still leads to the socket.
func (l *listener) there() bool {
	info, err := os.Lstat(l.socket.Path)
	l.mu.Lock()
	defer l.mu.Unlock()
	return err == nil && os.SameFile(info, l.file)
}

// watch makes the socket again whenever it is gone.
func (l *listener) watch() {
	defer close(l.done)
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default: // it has one
		}
	}
	file, dir := &linux.Waiter{Wake: notify}, &linux.Waiter{Wake: notify}
	watcher := linux.NewWatcher()
	defer watcher.Close()
	const gone = unix.IN_ATTRIB | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF
	for {
		armed := watcher.Arm(l.socket.Path, gone, file) == nil && watcher.Arm(filepath.Dir(l.socket.Path), gone, dir) == nil
		if !l.there() {
			if l.remake() == nil {
				notify()
			}
			armed = false
		}
		var again <-chan time.Time
		if !armed {
			again = time.After(remakePause)
		}
		select {
		case <-changed:
		case <-again:
		case <-l.quit:
			return
		}
		watcher.Disarm(file)
		watcher.Disarm(dir)
	}
}

// remake makes the socket again.
func (l *listener) remake() error {
	l.mu.Lock()
	socket := l.socket
	l.mu.Unlock()
	next, err := bind(socket, answerTime)
	var file os.FileInfo
	if err == nil {
		if file, err = os.Lstat(l.socket.Path); err != nil {
			err = errors.Join(err, next.Close())
		}
	}
	if err != nil {
		l.socket.Logger.Error("the API's socket was removed and cannot be made again", "socket", l.socket.Path, "error", err)
		return err
	}
	l.mu.Lock()
	before, closed, group := l.current, l.closed, l.socket.Group
	if !closed {
		l.current, l.file = next, file
	}
	l.mu.Unlock()
	if group != socket.Group { // changed meanwhile
		_ = Regroup(l, group)
	}
	if closed {
		return next.Close()
	}
	before.SetUnlinkOnClose(false) // the path is the new one's
	_ = before.Close()
	l.socket.Logger.Error("the API's socket was removed, and is there again", "socket", l.socket.Path)
	return nil
}
