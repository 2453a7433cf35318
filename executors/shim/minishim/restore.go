package minishim

import (
	"context"
	"encoding/json"
	"time"

	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// restoreArgs returns the arguments of the runtime by which it restores a checkpoint.
func restoreArgs(images string, o *options.Options) []string {
	args := []string{"--image-path", images, "--detach", "--no-subreaper"}
	if o.GetCriuWorkPath() != "" {
		args = append(args, "--work-path", o.GetCriuWorkPath())
	}
	return args
}

// restore lets the runtime restore the first process, which runs then. The caller has the
// process's lock.
func (c *container) restore(ctx context.Context) error {
	if err := c.first.make(ctx, c.runc, c.bundle, c.reaped, "restore", c.restored...); err != nil {
		return err
	}
	c.first.setStarted()
	return nil
}

// giveUp ends a container that was not restored, or not yet: there is nothing to kill. It
// reports whether there was nothing.
func (c *container) giveUp() bool {
	if c.restored == nil {
		return false
	}
	c.first.op.Lock()
	defer c.first.op.Unlock()
	if c.first.number() != 0 || c.first.ended() {
		return false
	}
	e := exit{Timestamp: time.Now(), Status: 128 + uint32(unix.SIGKILL), NeverRan: true}
	if note, err := json.Marshal(e); err == nil {
		_ = linux.WriteWhole(exitFile(c.bundle), note)
	}
	c.first.finish(e)
	return true
}
