package shim

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/executor"
)

// program is a shim as it was found on this machine.
type program struct {
	// path is empty for the executor's own shim.
	path     string
	version  string // "" if unknown
	protocol bootProtocol
	oci      string // path of the OCI binary, "" if the shim needs none
}

// drain gives the cap of the shim.
func (p program) drain() oci.DrainCap {
	if v, ok := runtimes.ParseRelease(p.version); ok && !v.Before(runtimes.Release{Major: 1, Minor: 7}) {
		return oci.DrainLong
	}
	return oci.DrainShort
}

// find finds the programs of a runtime. The error is
// [executor.FailedPrecondition] and names the remedy.
func (b *Backend) find(ctx context.Context, name string, r runtimes.Resolved) (program, error) {
	p, err := b.findShim(ctx, r)
	if err == nil && r.Kind() == runtimes.KindRunc {
		p.oci, err = runtimes.LookPath(cmp.Or(r.Path, "runc"), os.Getenv("PATH"))
		if err != nil {
			err = fmt.Errorf("%w; install it, or choose another runtime", err)
		}
	}
	if err != nil {
		return p, executor.Errorf(executor.FailedPrecondition, "runtime %s: %w", name, err)
	}
	return p, nil
}

func (b *Backend) findShim(ctx context.Context, r runtimes.Resolved) (program, error) {
	if r.Kind() == runtimes.KindLinux {
		return program{}, fmt.Errorf("the shim %s works with a containerd daemon alone; use %s, or a backend of the containerd executor", r.Shim, runtimes.ShimRuncV2)
	}
	binary := runtimes.ShimBinary(r.Shim)
	path, err := runtimes.LookPath(binary, strings.Join(b.config.ShimDirs, ":"))
	if err != nil && r.Shim == runtimes.ShimRuncV2 && b.own != nil {
		return program{version: b.own.Version, protocol: bootParameters}, nil
	}
	if err != nil && !filepath.IsAbs(binary) {
		if path, err = runtimes.LookPath(binary, os.Getenv("PATH")); err != nil {
			err = fmt.Errorf("%w; install the shim, or name its directory in shim_dirs", err)
		}
	}
	if err != nil {
		return program{}, err
	}
	p := program{path: path}
	if r.Kind() == runtimes.KindRunc {
		p.version = b.prober.Version(ctx, path, "-v")
		p.protocol = bootProtocolOf(p.version)
	}
	return p, nil
}

// ResolveRuntime implements [executor.RuntimeResolver].
func (b *Backend) ResolveRuntime(ctx context.Context, name string) (executor.Runtime, error) {
	if name == "" {
		name = b.table.Default()
	}
	r, _, err := b.resolve(ctx, name)
	if err != nil {
		return executor.Runtime{}, err
	}
	body, err := r.Encode()
	return executor.Runtime{Name: name, Resolved: body}, err
}

// resolve pins the OCI binary that a runtime gives by a bare name.
func (b *Backend) resolve(ctx context.Context, name string) (runtimes.Resolved, program, error) {
	r, err := b.table.Resolve(name)
	if err != nil {
		return r, program{}, err
	}
	p, err := b.find(ctx, name, r)
	if err == nil && r.Path != "" {
		r.Path = p.oci
	}
	return r, p, err
}

// Runtimes implements [executor.RuntimeLister].
func (b *Backend) Runtimes(ctx context.Context) ([]executor.RuntimeInfo, error) {
	var infos []executor.RuntimeInfo
	for _, name := range b.table.Names() {
		r, p, err := b.resolve(ctx, name)
		info := executor.RuntimeInfo{Name: name, Default: name == b.table.Default(), Shim: r.Shim, Path: r.Path}
		if err != nil {
			info.Problem = err.Error()
		} else {
			info.Version = b.describe(ctx, p)
			if info.Resolved, err = r.Encode(); err != nil {
				return nil, err
			}
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// describe gives the versions of the programs behind a runtime.
func (b *Backend) describe(ctx context.Context, p program) string {
	var parts []string
	switch {
	case p.path == "":
		parts = append(parts, "own shim "+p.version)
	case p.version != "":
		parts = append(parts, "shim "+p.version)
	}
	if p.oci != "" {
		if v := b.prober.Version(ctx, p.oci, "--version"); v != "" {
			parts = append(parts, "oci "+v)
		}
	}
	return strings.Join(parts, ", ")
}

// Check implements [executor.Checker]: it reports the configured runtimes, and
// the default one, that this machine cannot run.
func (b *Backend) Check(ctx context.Context) ([]executor.Diagnostic, error) {
	configured := make(map[string]bool)
	for _, r := range b.env.Settings.Runtimes {
		configured[r.Name] = true
	}
	var found []executor.Diagnostic
	for _, name := range b.table.Names() {
		path := []string{"runtime", name}
		if !configured[name] {
			if name != b.table.Default() {
				continue
			}
			path = []string{"default_runtime"}
		}
		if _, _, err := b.resolve(ctx, name); err != nil {
			found = append(found, executor.Diagnostic{Severity: executor.SeverityError, Path: path, Message: err.Error()})
		}
	}
	return found, nil
}
