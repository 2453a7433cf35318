package runtimes

import (
	"context"
	"strings"

	"github.com/davit-run/davit/shared/executor"
)

// Catalog implements the methods of a backend that are about the runtimes of a table.
// A backend embeds it.
type Catalog struct {
	Table *Table
	// Configured are the runtime blocks of the backend's config.
	Configured []executor.RuntimeSettings
	// Ready waits until Find can be called. Nil means that it always can.
	Ready func(ctx context.Context) error
	// Find looks for the programs of a runtime, and returns it with its OCI binary
	// pinned. The error says why it cannot be run, and what to do.
	Find func(ctx context.Context, r Resolved) (Resolved, Programs, error)

	prober Prober
}

// Programs are the programs of a runtime.
type Programs struct {
	// Shim describes the shim, such as "shim 2.1.0". "" if nothing is known.
	Shim string
	// OCI is the path of the OCI binary. "" if there is none, or it cannot be seen.
	OCI string
}

var _ interface {
	executor.RuntimeResolver
	executor.RuntimeLister
	executor.Checker
} = (*Catalog)(nil)

// Version runs a program with a flag such as -v and returns the version that it
// prints, or "" if none is recognized.
func (c *Catalog) Version(ctx context.Context, path, flag string) string {
	return c.prober.Version(ctx, path, flag)
}

// ResolveRuntime implements [executor.RuntimeResolver].
func (c *Catalog) ResolveRuntime(ctx context.Context, name string) (executor.Runtime, error) {
	if name == "" {
		name = c.Table.Default()
	}
	r, err := c.Table.Resolve(name)
	if err == nil {
		err = c.ready(ctx)
	}
	if err != nil {
		return executor.Runtime{}, err
	}
	if r, _, err = c.Find(ctx, r); err != nil {
		return executor.Runtime{}, Unusable(name, err)
	}
	body, err := r.Encode()
	return executor.Runtime{Name: name, Resolved: body}, err
}

// Unusable returns the error for a runtime that cannot be run for a reason. Its code
// is [executor.FailedPrecondition], unless the reason has one.
func Unusable(name string, reason error) error {
	code := executor.CodeOf(reason)
	if code == executor.Internal {
		code = executor.FailedPrecondition
	}
	return executor.Errorf(code, "runtime %s: %w", name, reason)
}

func (c *Catalog) ready(ctx context.Context) error {
	if c.Ready == nil {
		return nil
	}
	return c.Ready(ctx)
}

// Runtimes implements [executor.RuntimeLister].
func (c *Catalog) Runtimes(ctx context.Context) ([]executor.RuntimeInfo, error) {
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	var infos []executor.RuntimeInfo
	for _, name := range c.Table.Names() {
		r, err := c.Table.Resolve(name)
		if err != nil {
			return nil, err
		}
		info := executor.RuntimeInfo{Name: name, Default: name == c.Table.Default(), Shim: r.Shim, Path: r.Path}
		r, programs, err := c.Find(ctx, r)
		if err != nil {
			info.Problem = err.Error()
		} else {
			info.Version = c.describe(ctx, programs)
			if info.Resolved, err = r.Encode(); err != nil {
				return nil, err
			}
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// describe returns the versions of programs.
func (c *Catalog) describe(ctx context.Context, p Programs) string {
	var parts []string
	if p.Shim != "" {
		parts = append(parts, p.Shim)
	}
	if p.OCI != "" {
		if v := c.Version(ctx, p.OCI, "--version"); v != "" {
			parts = append(parts, "oci "+v)
		}
	}
	return strings.Join(parts, ", ")
}

// Check implements [executor.Checker]: it reports the configured runtimes, and the
// default one, that cannot be run.
func (c *Catalog) Check(ctx context.Context) ([]executor.Diagnostic, error) {
	infos, err := c.Runtimes(ctx)
	if err != nil {
		return nil, err
	}
	configured := make(map[string]bool)
	for _, r := range c.Configured {
		configured[r.Name] = true
	}
	var found []executor.Diagnostic
	for _, info := range infos {
		switch {
		case info.Problem == "":
		case configured[info.Name]:
			found = append(found, finding(info.Problem, "", "runtime", info.Name))
		case info.Default:
			found = append(found, finding(info.Problem, "", "default_runtime"))
		}
	}
	return found, nil
}
