package quirks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/linux"
)

// Orphan is a container that an OCI runtime may still know although its shim is gone.
// Shims leave one behind if they fail after the runtime has made it, for instance
// because an output file cannot be opened, and so does a shim that is killed then.
//
// Whether there is one, only the runtime knows: runc keeps ROOT/ID, runsc other names.
// So it is asked to remove the container in any case. With --force that is no error if
// there is none.
//
// Versions: io.containerd.runc.v1 and io.containerd.runtime.v1.linux of 1.6 and 1.7 for
// the failure; all for the kill.
// Source: Create in process/init.go of the shims of runc copies the output when runc has
// returned, and leaves an error of that to the caller.
// See https://github.com/containerd/containerd/issues/4133.
// Can go: the failure with the support of these shims. The kill stays.
type Orphan struct {
	// Binary is the OCI runtime, Root where it keeps its state, ID the container.
	Binary, Root, ID string
}

// deleteTimeout bounds what a runtime may take to remove a container. One that hangs is
// killed, and the removal goes on without it.
const deleteTimeout = 10 * time.Second

// Remove kills and removes the container. The runtime runs in dir with env; empty
// means those of this process.
func (o Orphan) Remove(ctx context.Context, dir string, env []string) error {
	ctx, cancel := context.WithTimeout(ctx, deleteTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, o.Binary, "--root", o.Root, "delete", "--force", o.ID)
	cmd.Dir, cmd.Env = dir, env
	cmd.WaitDelay = time.Second // what it leaves behind may have our pipe
	out := linux.Head{Most: 64 << 10}
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("no answer within %s", deleteTimeout)
	}
	return fmt.Errorf("%s delete: %w: %s", o.Binary, err, strings.TrimSpace(out.String()))
}

// Forget removes the files that a runtime has left of a container of which no process
// is left: whatever in its root is named after the container.
func (o Orphan) Forget() error {
	entries, err := os.ReadDir(o.Root)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if e.Name() == o.ID || strings.HasPrefix(e.Name(), o.ID+"_") || strings.HasPrefix(e.Name(), o.ID+".") {
			err = errors.Join(err, os.RemoveAll(filepath.Join(o.Root, e.Name())))
		}
	}
	return err
}
