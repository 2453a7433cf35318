package memory

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// machine runs workloads. It outlives backends, as a daemon or a kernel would.
type machine interface {
	// start starts a workload, and returns when it runs. After an error it does not
	// run.
	start(ctx context.Context, o order) (record, error)
	// reaped is closed when the workload at a place has ended and was reaped, and nil
	// if this process is not its parent.
	reaped(at place) <-chan struct{}
}

// System runs workloads as goroutines. It takes the place of the machine: what runs
// on it outlives the backends that executors open on it. It is safe for concurrent
// use. Make one with [NewSystem].
type System struct {
	wg sync.WaitGroup

	mu     sync.Mutex
	closed chan struct{} // kills what runs
}

// NewSystem returns a system without workloads.
func NewSystem() *System { return &System{closed: make(chan struct{})} }

// Executor returns the memory executor on s.
func (s *System) Executor() executor.Executor { return newExecutor(s) }

// Close kills all workloads, even those whose sockets are gone, and waits for them.
// Nothing can be started afterwards. Close is called once.
func (s *System) Close() error {
	s.mu.Lock()
	close(s.closed)
	s.mu.Unlock()
	s.wg.Wait()
	return nil
}

func (s *System) start(_ context.Context, o order) (record, error) {
	started, failed := make(chan record, 1), make(chan error, 1)
	s.mu.Lock()
	select {
	case <-s.closed:
		s.mu.Unlock()
		return record{}, executor.Errorf(executor.Unavailable, "the system is closed")
	default:
	}
	s.wg.Go(func() { failed <- o.run(s.closed, func(r record) { started <- r }) })
	s.mu.Unlock()
	select {
	case r := <-started:
		return r, nil
	case err := <-failed:
		select {
		case r := <-started: // it has ended already
			return r, nil
		default:
			return record{}, err
		}
	}
}

func (s *System) reaped(place) <-chan struct{} { return nil }

// NewProcesses returns an executor whose workloads are processes that outlive it.
// It may be used only in a program whose main calls [RunWorkload] first.
func NewProcesses() executor.Executor {
	return newExecutor(&processes{children: map[string]<-chan struct{}{}})
}

// processes runs workloads as processes of this program.
type processes struct {
	mu       sync.Mutex
	children map[string]<-chan struct{} // by place.Dir; closed when the child is reaped
}

func (p *processes) start(ctx context.Context, o order) (record, error) {
	body, err := json.Marshal(o)
	if err != nil {
		return record{}, err
	}
	cmd := exec.Command("/proc/self/exe", workloadArg)
	cmd.Env = []string{"GORACE=atexit_sleep_ms=0"} // built with -race it would sleep at its exit
	cmd.Dir = "/"
	cmd.Stdin = bytes.NewReader(body)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return record{}, err
	}
	if err := cmd.Start(); err != nil {
		return record{}, err
	}
	reaped := make(chan struct{})
	p.mu.Lock()
	p.children[o.Place.Dir] = reaped
	p.mu.Unlock()
	r, err := p.answer(ctx, cmd, out, o)
	go func() { // for as long as the workload or this process lives
		defer close(reaped)
		reap(cmd, o.Place)
	}()
	if err != nil {
		<-reaped
	}
	return r, err
}

// answer waits for the answer of a workload's process. If ctx ends before the workload has
// begun, the process is killed; one that has begun must not run twice, and goes on.
func (p *processes) answer(ctx context.Context, cmd *exec.Cmd, out io.Reader, o order) (record, error) {
	cancelled := make(chan bool, 1)
	stop := context.AfterFunc(ctx, func() {
		first := o.Place.claim() == nil
		if first {
			_ = cmd.Process.Kill()
		}
		cancelled <- first
	})
	var a answer
	err := json.NewDecoder(out).Decode(&a)
	switch {
	case !stop() && <-cancelled:
		err = executor.Errorf(executor.CodeOf(ctx.Err()), "%s: not started: %w", o.Record.Ref, context.Cause(ctx))
	case err != nil:
		err = fmt.Errorf("%s: the workload's process ended before it ran: %w", o.Record.Ref, err)
	case a.Code != "":
		err = executor.Errorf(a.Code, "%s", a.Message)
	}
	if err != nil {
		_ = cmd.Process.Kill()
	}
	return a.Record, err
}

// reap waits for a child, and writes its exit if it could not.
func reap(cmd *exec.Cmd, at place) {
	_ = cmd.Wait()
	if _, err := os.Stat(at.exitFile()); err == nil {
		return
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		code, oom := 128+int(status.Signal()), false
		_ = writeJSON(at.exitFile(), executor.Exit{Code: &code, Signal: status.Signal(), OOM: &oom, At: time.Now(), Source: executor.Observed})
	}
}

func (p *processes) reaped(at place) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.children[at.Dir]
}

// deliver sends an event to a workload and reports whether it was answered before the
// workload ended.
func (p place) deliver(ctx context.Context, event byte) (answered bool, err error) {
	conn, err := net.Dial("unix", p.Socket)
	if err != nil {
		return false, nil // nobody listens: it has ended
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	_, _ = conn.Write([]byte{event})
	n, _ := conn.Read(make([]byte, 1))
	return n == 1, context.Cause(ctx)
}

// remove removes a workload's files.
func (p place) remove() error {
	return errors.Join(os.RemoveAll(p.Socket), os.RemoveAll(p.noteFile()), os.RemoveAll(p.Dir))
}
