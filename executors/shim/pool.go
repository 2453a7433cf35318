package shim

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/shim/minishim"
	"golang.org/x/sys/unix"
)

// self is this program, also after its file was replaced.
const self = "/proc/self/exe"

// pool starts davit's own shims. It keeps one of them idle for the next container,
// which then does not wait for the start of a shim. That costs the memory of an idle
// process: 13 MB, of which all but 1.8 are the program's own pages, shared with the
// executor. A shim without a container ends with this process.
type pool struct {
	mu     sync.Mutex
	idle   *idleShim // nil if there is none
	making bool
	closed bool
	wg     sync.WaitGroup // who makes one
}

// idleShim is a shim that has no container yet.
type idleShim struct {
	*net.UnixConn // to it; once that is closed, it ends
	process       *os.Process
	ended         chan struct{} // closed when it has ended and was reaped
}

// kill kills the shim, which has nothing to clean up, and waits for its end: then
// the cgroup that it lived in, the executor's, can be removed.
func (s *idleShim) kill() {
	_ = s.process.Kill()
	<-s.ended
	_ = s.Close()
}

// assign assigns a container to the idle shim, or to a new one.
func (p *pool) assign(a minishim.Assignment, l *net.UnixListener) error {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	if idle != nil {
		err := minishim.Assign(idle.UnixConn, a, l)
		_ = idle.Close()
		if err == nil {
			return nil
		}
		// It was killed.
	}
	shim, err := startIdle()
	if err != nil {
		return fmt.Errorf("start davit's own shim: %w", err)
	}
	defer shim.Close()
	return minishim.Assign(shim.UnixConn, a, l)
}

// refill makes sure, in the background, that there is an idle shim.
func (p *pool) refill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.making || p.idle != nil {
		return
	}
	p.making = true
	p.wg.Go(func() {
		made, err := startIdle()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.making = false
		switch {
		case err != nil: // the next container starts one itself, and reports the error
		case p.closed:
			made.kill()
		default:
			p.idle = made
		}
	})
}

// close ends the idle shim.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	if p.idle != nil {
		p.idle.kill()
		p.idle = nil
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// startIdle starts a shim, which has nothing of this process open but the other end
// of the returned connection.
func startIdle() (*idleShim, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "shim"), os.NewFile(uintptr(fds[1]), "executor")
	defer ours.Close()
	defer theirs.Close()
	cmd := exec.Command(self)
	cmd.Args[0] = "davit-shim"
	// It does little at the same time, and every thread costs memory.
	cmd.Env = append(oci.Environ(), minishim.Env, "GOMAXPROCS=1")
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
	return &idleShim{conn.(*net.UnixConn), cmd.Process, ended}, nil
}
