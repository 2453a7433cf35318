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
	"github.com/davit-run/davit/executors/shim/minishim"
)

// program is a shim as it was found on this machine.
type program struct {
	// path is empty for davit's own shim.
	path     string
	version  string // "" if unknown
	protocol bootProtocol
	oci      string // path of the OCI binary, "" if the shim needs none
}

// drain returns how long the shim waits for output.
func (p program) drain() oci.DrainCap {
	if p.path == "" {
		return oci.DrainCap(minishim.DrainTimeout)
	}
	return oci.DrainCapOf(p.version)
}

// programs finds the programs of the runtime of a new container. The error is
// [executor.FailedPrecondition] and names the remedy.
func (d *driver) programs(ctx context.Context, name string, r runtimes.Resolved) (program, error) {
	p, err := d.lookUp(ctx, r)
	if err != nil {
		return p, runtimes.Unusable(name, err)
	}
	return p, nil
}

// locate resolves the OCI binary that a runtime names without a path.
func (d *driver) locate(ctx context.Context, r runtimes.Resolved) (runtimes.Resolved, runtimes.Programs, error) {
	p, err := d.lookUp(ctx, r)
	if err != nil {
		return r, runtimes.Programs{}, err
	}
	if r.Path != "" {
		r.Path = p.oci
	}
	found := runtimes.Programs{OCI: p.oci}
	switch {
	case p.path == "":
		found.Shim = "davit's own shim " + p.version
	case p.version != "":
		found.Shim = "shim " + p.version
	}
	return r, found, nil
}

// lookUp looks for the programs of a runtime on this machine.
func (d *driver) lookUp(ctx context.Context, r runtimes.Resolved) (program, error) {
	p, err := d.findShim(ctx, r)
	if err == nil && r.Kind() == runtimes.KindRunc {
		p.oci, err = runtimes.LookPath(cmp.Or(r.Path, "runc"), os.Getenv("PATH"))
		if err != nil {
			err = fmt.Errorf("%w; install it, or choose another runtime", err)
		}
	}
	return p, err
}

func (d *driver) findShim(ctx context.Context, r runtimes.Resolved) (program, error) {
	if r.Kind() == runtimes.KindLinux {
		return program{}, fmt.Errorf("the shim %s works with a containerd daemon alone; use %s, or a backend of the containerd executor", r.Shim, runtimes.ShimRuncV2)
	}
	binary := runtimes.ShimBinary(r.Shim)
	path, err := runtimes.LookPath(binary, strings.Join(d.config.ShimDirs, ":"))
	if err != nil && r.Shim == runtimes.ShimRuncV2 {
		return program{version: d.version}, nil
	}
	if err != nil && filepath.IsAbs(binary) {
		err = fmt.Errorf("the shim's binary %w; install it there, or correct the shim's path", err)
	} else if err != nil {
		if path, err = runtimes.LookPath(binary, os.Getenv("PATH")); err != nil {
			err = fmt.Errorf("%w; install the shim, or name its directory in shim_dirs", err)
		}
	}
	if err != nil {
		return program{}, err
	}
	p := program{path: path}
	if r.Kind() == runtimes.KindRunc {
		p.version = d.catalog.Version(ctx, path, "-v")
		p.protocol = bootProtocolOf(p.version)
	}
	return p, nil
}
