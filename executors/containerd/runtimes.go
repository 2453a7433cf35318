package containerd

import (
	"context"
	"os"
	"strings"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/executor"
)

// ResolveRuntime implements [executor.RuntimeResolver].
func (b *Backend) ResolveRuntime(ctx context.Context, name string) (executor.Runtime, error) {
	if name == "" {
		name = b.table.Default()
	}
	r, err := b.table.Resolve(name)
	if err != nil {
		return executor.Runtime{}, err
	}
	if err := b.ready(ctx); err != nil {
		return executor.Runtime{}, err
	}
	if r, err = b.locate(ctx, name, r); err != nil {
		return executor.Runtime{}, err
	}
	if _, err := b.preflight(ctx, name, r); err != nil {
		return executor.Runtime{}, err
	}
	body, err := r.Encode()
	return executor.Runtime{Name: name, Resolved: body}, err
}

// locate pins the OCI binary that a runtime gives by a bare name.
func (b *Backend) locate(ctx context.Context, name string, r runtimes.Resolved) (runtimes.Resolved, error) {
	d, err := b.conn.info(ctx)
	if err != nil {
		return r, oci.Fault(err)
	}
	path := d.path
	if !d.visible {
		path = os.Getenv("PATH")
	}
	if r, err = r.Locate(path); err != nil {
		return r, executor.Errorf(executor.FailedPrecondition, "runtime %s: %w", name, err)
	}
	return r, nil
}

// Runtimes implements [executor.RuntimeLister].
func (b *Backend) Runtimes(ctx context.Context) ([]executor.RuntimeInfo, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	d, err := b.conn.info(ctx)
	if err != nil {
		return nil, oci.Fault(err)
	}
	var infos []executor.RuntimeInfo
	for _, name := range b.table.Names() {
		r, err := b.table.Resolve(name)
		if err != nil {
			return nil, err
		}
		info := executor.RuntimeInfo{Name: name, Default: name == b.table.Default(), Shim: r.Shim, Path: r.Path}
		var run runnable
		if r, err = b.locate(ctx, name, r); err != nil {
			info.Problem = err.Error()
		} else {
			run, info.Problem = b.examine(ctx, d, r)
		}
		if info.Problem == "" {
			info.Version = b.describe(ctx, run)
			if info.Resolved, err = r.Encode(); err != nil {
				return nil, err
			}
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// describe gives the versions of the programs behind a runtime.
func (b *Backend) describe(ctx context.Context, run runnable) string {
	var parts []string
	if run.shimVersion != "" {
		parts = append(parts, "shim "+run.shimVersion)
	}
	if run.oci != "" {
		if v := b.prober.Version(ctx, run.oci, "--version"); v != "" {
			parts = append(parts, "oci "+v)
		}
	}
	return strings.Join(parts, ", ")
}

// Check implements [executor.Checker]: it reports the configured runtimes, and
// the default one, that the connected daemon cannot run.
func (b *Backend) Check(ctx context.Context) ([]executor.Diagnostic, error) {
	infos, err := b.Runtimes(ctx)
	if err != nil {
		return nil, err
	}
	configured := make(map[string]bool)
	for _, r := range b.env.Settings.Runtimes {
		configured[r.Name] = true
	}
	var found []executor.Diagnostic
	for _, info := range infos {
		if info.Problem == "" {
			continue
		}
		switch {
		case configured[info.Name]:
			found = append(found, executor.Diagnostic{Severity: executor.SeverityError, Path: []string{"runtime", info.Name}, Message: info.Problem})
		case info.Default:
			found = append(found, executor.Diagnostic{Severity: executor.SeverityError, Path: []string{"default_runtime"}, Message: info.Problem})
		}
	}
	if d, err := b.conn.info(ctx); err == nil && !d.visible {
		found = append(found, executor.Diagnostic{
			Severity: executor.SeverityWarning,
			Message:  "containerd's PATH cannot be seen from here, so its shims were not checked",
			Hint:     "run the host in containerd's mount namespace",
		})
	}
	return found, nil
}
