package minishim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// process is a process of a container: its first one, or an exec.
type process struct {
	id     string // of the exec, "" for the first process
	name   string // of its files in the bundle
	stdio  stdio
	spec   []byte // of an exec, the process in the OCI spec's form
	reaper *reaper
	exit   exit
	exited chan struct{} // closed when exit is known

	op sync.Mutex // locked while it is started or deleted

	mu      sync.Mutex
	pid     int                // 0 before it is made
	streams *streams           // nil before it is made
	started bool               // it may run
	abort   context.CancelFunc // ends the start of an exec, nil before that
}

// exit is the end of a process. The exit of a container's first process is in the
// bundle, where it outlives the shim, in the format of containerd's shims.
type exit struct {
	Timestamp time.Time
	Pid       int
	Status    uint32
	// NeverRan says that the runtime never executed the workload. Other shims cannot
	// tell.
	NeverRan bool `json:",omitempty"`
}

// startFailed is the exit status of an exec that could not be started: Start has
// the error.
const startFailed = 255

func newProcess(reaper *reaper, id, name string, s stdio) *process {
	return &process{id: id, name: name, stdio: s, reaper: reaper, exited: make(chan struct{})}
}

// make calls the runtime to create the process in a bundle, and carries its streams.
// ended is called at its end. After an error nothing is left of the streams, and of
// the process only what the runtime has left.
func (p *process) make(ctx context.Context, r runc, bundle string, ended func(exit), command string, args ...string) error {
	streams, err := openStreams(p.stdio, p.name)
	if err != nil {
		return err
	}
	pidFile := filepath.Join(bundle, p.name+".pid")
	done := p.reaper.expect()
	defer done()
	args = append(append([]string{command, "--pid-file", pidFile}, streams.args()...), args...)
	err = r.call(ctx, streams.child, args...)
	streams.handedOver()
	pid := 0
	if err == nil {
		if pid, err = readPID(pidFile); errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("%s %s succeeded, and has made no process", r.binary, command)
		}
	}
	if err == nil {
		if err = streams.takeConsole(ctx); err != nil {
			p.reaper.watch(pid, func(ending) {})
			_ = p.reaper.signal(pid, unix.SIGKILL)
		}
	}
	if err != nil {
		draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), DrainTimeout)
		defer cancel()
		streams.drain(draining)
		streams.close()
		return fmt.Errorf("OCI runtime %s failed: %w", command, err)
	}
	p.mu.Lock()
	p.pid, p.streams = pid, streams
	p.mu.Unlock()
	p.reaper.watch(pid, func(end ending) {
		e := exit{Timestamp: time.Now(), Pid: pid, Status: uint32(end.ExitStatus()), NeverRan: end.neverRan}
		if end.Signaled() {
			e.Status = 128 + uint32(end.Signal())
		}
		ended(e)
	})
	return nil
}

func readPID(file string) (int, error) {
	b, err := linux.ReadFile(file, 4096)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// finish sets the exit of the process, and notifies those who wait for it.
func (p *process) finish(e exit) {
	p.exit = e
	close(p.exited)
}

func (p *process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

func (p *process) isStarted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.started
}

func (p *process) setStarted() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.started = true
}

// number returns the pid of the process, 0 if it was not created yet.
func (p *process) number() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid
}

func (p *process) status() tasktypes.Status {
	switch {
	case p.ended():
		return tasktypes.Status_STOPPED
	case p.isStarted():
		return tasktypes.Status_RUNNING
	}
	return tasktypes.Status_CREATED
}

// exitStatus returns the exit in the form of the task API: zero values for a process that
// runs.
func (p *process) exitStatus() (status uint32, at *timestamppb.Timestamp) {
	if !p.ended() {
		return 0, nil
	}
	return p.exit.Status, timestamppb.New(p.exit.Timestamp)
}

// signal sends a signal to the process.
func (p *process) signal(sig unix.Signal) error {
	pid := p.number()
	if pid == 0 {
		return fmt.Errorf("process %s was not started: %w", p.id, errdefs.ErrFailedPrecondition)
	}
	return p.reaper.signal(pid, sig)
}

// open returns the streams of a process that was created.
func (p *process) open() (*streams, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.streams == nil {
		return nil, fmt.Errorf("process %q was not started: %w", p.id, errdefs.ErrFailedPrecondition)
	}
	return p.streams, nil
}

// drain waits until the output has drained, but no longer than ctx, and closes the
// streams.
func (p *process) drain(ctx context.Context) {
	streams, err := p.open()
	if err != nil {
		return
	}
	streams.drain(ctx)
	streams.close()
}
