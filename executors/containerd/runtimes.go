package containerd

import (
	"context"
	"errors"
	"os"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/executor"
)

// locate resolves the OCI binary that a runtime names without a path, and says why
// the connected daemon cannot run it.
func (d *driver) locate(ctx context.Context, r runtimes.Resolved) (runtimes.Resolved, runtimes.Programs, error) {
	info, err := d.conn.info(ctx)
	if err != nil {
		return r, runtimes.Programs{}, oci.Fault(err)
	}
	path := info.path
	if !info.visible {
		path = os.Getenv("PATH")
	}
	if r, err = r.Locate(path); err != nil {
		return r, runtimes.Programs{}, err
	}
	run, problem := d.examine(ctx, info, r)
	if problem != "" {
		return r, runtimes.Programs{}, errors.New(problem)
	}
	found := runtimes.Programs{OCI: run.oci}
	if run.shimVersion != "" {
		found.Shim = "shim " + run.shimVersion
	}
	return r, found, nil
}

// reachable waits until the daemon answers calls about runtimes.
func (d *driver) reachable(ctx context.Context) error {
	if err := d.ready(ctx); err != nil {
		return err
	}
	_, err := d.conn.info(ctx)
	return oci.Fault(err)
}

// Check implements [executor.Checker].
func (b *Backend) Check(ctx context.Context) ([]executor.Diagnostic, error) {
	found, err := b.Catalog.Check(ctx)
	if err != nil {
		return nil, err
	}
	if d, err := b.driver.conn.info(ctx); err == nil && !d.visible {
		found = append(found, executor.Diagnostic{
			Severity: executor.SeverityWarning,
			Message:  "containerd's PATH cannot be seen from here, so its shims were not checked",
			Hint:     "run the host in containerd's mount namespace",
		})
	}
	return found, nil
}
