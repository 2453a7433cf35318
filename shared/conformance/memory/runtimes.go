package memory

import (
	"context"
	"encoding/json"

	"github.com/davit-run/davit/shared/executor"
)

// ResolveRuntime implements executor.RuntimeResolver.
func (b *backend) ResolveRuntime(_ context.Context, name string) (executor.Runtime, error) {
	return b.settings.resolve(name)
}

func (s settings) resolve(name string) (executor.Runtime, error) {
	if name == "" {
		name = s.defaultRuntime
	}
	problem, known := s.problems[name]
	if !known {
		return executor.Runtime{}, executor.Errorf(executor.NotFound, "no runtime %q; there are %q", name, s.runtimes)
	}
	if problem != "" {
		return executor.Runtime{}, executor.Errorf(executor.FailedPrecondition, "runtime %q cannot be used: %s", name, problem)
	}
	return executor.Runtime{Name: name, Resolved: json.RawMessage(`{}`)}, nil
}

// runnable returns an error for a runtime that cannot run. One that was resolved
// earlier needs no entry in today's settings.
func (s settings) runnable(rt executor.Runtime) error {
	if len(rt.Resolved) == 0 {
		_, err := s.resolve(rt.Name)
		return err
	}
	var resolved runtimeConfig
	if err := json.Unmarshal(rt.Resolved, &resolved); err != nil {
		return executor.Errorf(executor.Invalid, "resolved runtime %q: %w", rt.Name, err)
	}
	return nil
}

// Runtimes implements executor.RuntimeLister.
func (b *backend) Runtimes(ctx context.Context) ([]executor.RuntimeInfo, error) {
	var infos []executor.RuntimeInfo
	for _, name := range b.settings.runtimes {
		info := executor.RuntimeInfo{Name: name, Default: name == b.settings.defaultRuntime, Problem: b.settings.problems[name]}
		if rt, err := b.ResolveRuntime(ctx, name); err == nil {
			info.Resolved = rt.Resolved
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// Check implements executor.Checker. It warns of runtimes that cannot be used.
func (b *backend) Check(context.Context) ([]executor.Diagnostic, error) {
	var diags []executor.Diagnostic
	for _, name := range b.settings.runtimes {
		if problem := b.settings.problems[name]; problem != "" {
			diags = append(diags, executor.Diagnostic{
				Severity: executor.SeverityWarning,
				Path:     []string{"runtime", name},
				Message:  "runtime " + name + " cannot be used: " + problem,
				Hint:     "remove its problem attribute",
			})
		}
	}
	return diags, nil
}
