package minishim

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/capture"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// container is a container that the runtime has created.
type container struct {
	id, bundle string
	runc       runc
	spec       spec
	owner      capture.Owner // of the pipes of its processes
	first      *process
	restored   []string // arguments of runc restore; nil for one that begins

	op      sync.Mutex // locked while it is paused, resumed, updated or deleted
	deleted bool       // guarded by op

	mu     sync.Mutex
	paused bool
	killed bool // a SIGKILL was sent
	execs  map[string]*process
	made   int        // execs so far
	left   []*streams // of execs that are deleted, to which others write
}

// process finds a process by the id of its exec, "" for the first one.
func (c *container) process(exec string) (*process, error) {
	if exec == "" {
		return c.first, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.execs[exec]
	if p == nil {
		return nil, fmt.Errorf("exec %s of container %s: %w", exec, c.id, errdefs.ErrNotFound)
	}
	return p, nil
}

// list returns all processes, the first one first.
func (c *container) list() []*process {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := []*process{c.first}
	for _, p := range c.execs {
		list = append(list, p)
	}
	return list
}

// leftBehind returns the streams of execs that are deleted, to which others still write.
func (c *container) leftBehind() []*streams {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.left)
}

// exitFile returns where the exit of a container's first process is noted.
func exitFile(bundle string) string { return filepath.Join(bundle, "exit.json") }

// reaped handles the end of the first process. The reaper calls it.
func (c *container) reaped(e exit) {
	if note, err := json.Marshal(e); err == nil {
		_ = linux.WriteWhole(exitFile(c.bundle), note)
	}
	if c.spec.ownPIDs {
		c.first.finish(e)
		return
	}
	go func() { // not in the reaper, which the runtime needs
		// Nobody else kills what it leaves behind.
		_ = c.runc.call(context.Background(), nil, "kill", "--all", c.id, strconv.Itoa(int(unix.SIGKILL)))
		c.first.finish(e)
	}()
}

// files is what runc has of the container on disk.
func (c *container) files() state {
	return state{dir: filepath.Join(c.runc.root, c.id), usable: c.spec.plain && c.runc.root != "" && !c.runc.systemd}
}

// running returns an error unless the first process was started and has not ended.
func (c *container) running() error {
	switch {
	case c.first.ended():
		return fmt.Errorf("container %s has ended: %w", c.id, errdefs.ErrFailedPrecondition)
	case !c.first.isStarted():
		return fmt.Errorf("container %s was not started: %w", c.id, errdefs.ErrFailedPrecondition)
	}
	return nil
}

// failed explains an error of the runtime. The reason may be that the container has
// ended meanwhile.
func (c *container) failed(command string, err error) error {
	if err == nil {
		return nil
	}
	if ended := c.running(); ended != nil {
		return ended
	}
	return fmt.Errorf("OCI runtime %s failed: %w", command, err)
}
