package containerd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/executors/internal/runtimes"
)

// removeOrphan removes what the OCI runtime still has of a container of which
// containerd knows no task any more. io.containerd.runc.v1 and the first shim
// leave it behind if they fail after it was made, for instance because an output
// file cannot be opened, and so does a shim that is killed then.
func removeOrphan(ctx context.Context, r record) error {
	if r.root == "" {
		return nil // the runtime's own default
	}
	if _, err := os.Stat(filepath.Join(r.root, r.cid)); err != nil {
		return nil
	}
	binary := cmp.Or(r.binary, "runc")
	out, err := exec.CommandContext(ctx, binary, "--root", r.root, "delete", "--force", r.cid).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s delete: %w: %s", binary, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// bundleInTheWay finds the bundle in the error of a task that cannot be made
// because its bundle exists, "" if that is not the error.
func bundleInTheWay(err error) string {
	if m := bundleExists().FindStringSubmatch(err.Error()); m != nil {
		return m[1]
	}
	return ""
}

var bundleExists = runtimes.Regexp(`mkdir (/\S+): file exists`)

// removeBundle removes a bundle whose shim is gone: containerd 1.6 forgets one if
// it died while it started the shim. Since it is a removal by path it makes sure first that the path is what a bundle of ours must be, and
// that nothing is mounted there: a mount would not let its directory go.
func (b *Backend) removeBundle(dir, cid string) error {
	dir = strings.TrimSuffix(dir, " (deleted)")
	if !strings.HasPrefix(filepath.Base(filepath.Dir(filepath.Dir(dir))), "io.containerd.runtime.") ||
		filepath.Base(filepath.Dir(dir)) != b.config.Namespace || filepath.Base(dir) != cid {
		return nil
	}
	if err := os.Remove(filepath.Join(dir, "rootfs")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove bundle: %w", err)
	}
	return os.RemoveAll(dir)
}
