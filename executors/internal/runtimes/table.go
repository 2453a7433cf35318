package runtimes

import (
	"maps"
	"slices"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/nearest"
)

// Runc is the stock name that means the backend's default shim with runc.
const Runc = "runc"

// stock returns the names that always exist.
func stock() []string { return []string{Runc, ShimRuncV2, ShimRuncV1, ShimLinuxV1} }

// Defaults are what a backend's config says about all of its runtimes.
type Defaults struct {
	// Runtime is the name that stands for none. Empty means [Runc].
	Runtime string
	// Shim is for runtimes that name none. Empty means [ShimRuncV2].
	Shim string
	// Root is the directory for OCI binaries' state.
	Root string
	// SystemdCgroup lets systemd make the cgroups.
	SystemdCgroup bool
	// AllowUnconfigured makes any name that looks like a shim's a runtime.
	AllowUnconfigured bool
}

// Table maps names to runtimes. It does not change once made.
type Table struct {
	defaults Defaults
	entries  map[string]Resolved
}

// New returns a table of the stock runtimes and the configured ones. A configured
// runtime of a stock name replaces the stock one. It does no I/O. The table is valid
// only if none of the diagnostics is an error.
func New(d Defaults, blocks []executor.RuntimeSettings) (*Table, []executor.Diagnostic) {
	if d.Shim == "" {
		d.Shim = ShimRuncV2
	}
	if d.Runtime == "" {
		d.Runtime = Runc
	}
	t := &Table{defaults: d, entries: make(map[string]Resolved)}
	for _, name := range stock() {
		t.entries[name] = t.fill(Resolved{Shim: t.stockShim(name)})
	}
	var diags []executor.Diagnostic
	seen := make(map[string]bool)
	for _, b := range blocks {
		if seen[b.Name] {
			diags = append(diags, finding("there are two runtimes of this name", "rename one of them", "runtime", b.Name))
			continue
		}
		seen[b.Name] = true
		r, found := t.parse(b)
		diags = append(diags, found...)
		t.entries[b.Name] = t.fill(r)
	}
	if _, err := t.Resolve(""); err != nil {
		diags = append(diags, finding(err.Error(), "", "default_runtime"))
	}
	return t, diags
}

// stockShim returns the shim that a name stands for if its block names none.
func (t *Table) stockShim(name string) string {
	if name != Runc && slices.Contains(stock(), name) {
		return name
	}
	return t.defaults.Shim
}

// fill applies the backend's defaults.
func (t *Table) fill(r Resolved) Resolved {
	if r.Kind().takesPath() {
		if r.Options.Root == nil {
			r.Options.Root = &t.defaults.Root
		}
		if r.Options.SystemdCgroup == nil {
			r.Options.SystemdCgroup = &t.defaults.SystemdCgroup
		}
	}
	return r
}

// Default returns the name that "" stands for.
func (t *Table) Default() string { return t.defaults.Runtime }

// Names returns all names, sorted.
func (t *Table) Names() []string { return slices.Sorted(maps.Keys(t.entries)) }

// Resolve returns what a name stands for; "" is the default. An unknown name is a
// [executor.NotFound] error.
func (t *Table) Resolve(name string) (Resolved, error) {
	if name == "" {
		name = t.defaults.Runtime
	}
	if r, ok := t.entries[name]; ok {
		return r, nil
	}
	shim := LooksLikeShim(name)
	if shim && t.defaults.AllowUnconfigured {
		return t.fill(Resolved{Shim: name}), nil
	}
	hint := ""
	if near := nearest.Name(name, t.Names()); near != "" {
		hint = "; did you mean " + near + "?"
	}
	if shim {
		hint += "; to use a shim, configure it or set allow_unconfigured_shims"
	}
	return Resolved{}, executor.Errorf(executor.NotFound, "there is no runtime %q%s (known: %s)", name, hint, strings.Join(t.Names(), ", "))
}

func finding(message, hint string, path ...string) executor.Diagnostic {
	return executor.Diagnostic{Severity: executor.SeverityError, Path: path, Message: message, Hint: hint}
}
