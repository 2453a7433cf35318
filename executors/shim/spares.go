package shim

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"github.com/davit-run/davit/executors/shim/minishim"
	"golang.org/x/sys/unix"
)

// spares has a small shim ready for the next container, so that this one does not
// have to wait for its start. It costs the memory of an idle process, some 8 MB.
// One that has no container yet ends with this process.
type spares struct {
	env []string

	mu     sync.Mutex
	ready  *spare // nil if there is none
	making bool
	closed bool
	wg     sync.WaitGroup // who makes one
}

// spare is a small shim that has no container yet.
type spare struct {
	*net.UnixConn // to it; once that is closed, it ends
	process       *os.Process
	ended         chan struct{} // closed when it has ended and was reaped
}

// end ends the spare, which has nothing to do first, and waits until it is gone:
// then the cgroup that it lived in, the executor's, can be removed.
func (s *spare) end() {
	_ = s.process.Kill()
	<-s.ended
	_ = s.Close()
}

// assign gives a container to the spare, or to a new small shim.
func (s *spares) assign(a minishim.Assignment, l *net.UnixListener) error {
	s.mu.Lock()
	ready := s.ready
	s.ready = nil
	s.mu.Unlock()
	if ready != nil {
		err := minishim.Assign(ready.UnixConn, a, l)
		_ = ready.Close()
		if err == nil {
			return nil
		}
		// It was killed.
	}
	shim, err := s.start()
	if err != nil {
		return fmt.Errorf("start the executor's own shim: %w", err)
	}
	defer shim.Close()
	return minishim.Assign(shim.UnixConn, a, l)
}

// refill makes sure, in the background, that there is a spare.
func (s *spares) refill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.making || s.ready != nil {
		return
	}
	s.making = true
	s.wg.Go(func() {
		made, err := s.start()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.making = false
		switch {
		case err != nil: // the next one who needs one will hear of it
		case s.closed:
			made.end()
		default:
			s.ready = made
		}
	})
}

// close ends the spare.
func (s *spares) close() {
	s.mu.Lock()
	s.closed = true
	if s.ready != nil {
		s.ready.end()
		s.ready = nil
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// start starts a small shim, which holds nothing of this process but the other end
// of the connection that start gives.
func (s *spares) start() (*spare, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "shim"), os.NewFile(uintptr(fds[1]), "executor")
	defer ours.Close()
	defer theirs.Close()
	cmd := exec.Command(self)
	cmd.Args[0] = "davit-shim"
	cmd.Env = append(environment(), s.env...)
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	// It is our child for as long as we live, and has to be reaped. One that has a
	// container outlives the backend, and nobody waits for it.
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, err // without the other end, it ends
	}
	return &spare{conn.(*net.UnixConn), cmd.Process, ended}, nil
}
