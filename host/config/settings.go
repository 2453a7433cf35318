package config

import (
	"fmt"
	"strings"

	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/shared/executor"
)

// Decode checks the blocks of b against the schemas of its executor, and returns the
// settings with which the executor opens the backend. They may be used only if the
// Diagnostics have no errors.
func (b *Backend) Decode(desc executor.Description) (executor.Settings, diag.Diagnostics) {
	var ds diag.Diagnostics
	settings := executor.Settings{DefaultRuntime: b.DefaultRuntime}
	config := b.body(b.Config, b.at(), "config", &ds)
	settings.Config = decode(desc.Config, config, "config", &ds)
	if desc.Runtime == nil {
		hint := "remove it"
		if b.DefaultRuntime != "" {
			ds.Fail(b.at("default_runtime"), hint, "executor %q has no runtimes, so default_runtime cannot be set", desc.Name)
		}
		for _, r := range b.Runtimes {
			ds.Fail(r.at, hint, "executor %q has no runtimes, so runtime %q cannot be defined", desc.Name, r.Name)
		}
		return settings, b.named(ds)
	}
	for _, r := range b.Runtimes {
		where := fmt.Sprintf("runtime %q", r.Name)
		settings.Runtimes = append(settings.Runtimes, executor.RuntimeSettings{
			Name: r.Name, Body: decode(*desc.Runtime, b.body(r.Body, r.at, where, &ds), where, &ds),
		})
	}
	return settings, b.named(ds)
}

// body returns the body of a value that a program or a file put into b.
func (b *Backend) body(v any, at diag.Range, where string, ds *diag.Diagnostics) *body {
	made, err := toBody(v)
	if err != nil {
		ds.Fail(at, "", "%s %v", where, err)
		made = &body{}
	}
	if made.at == (diag.Range{}) {
		made = &body{at: at, items: made.items}
	}
	return made
}

// Setting returns an attribute of the config block of b, if it is there and a string.
func (b *Backend) Setting(name string) (value string, ok bool) {
	settings, err := toBody(b.Config)
	if err != nil {
		return "", false // Decode says so
	}
	if it := settings.find(name); it != nil {
		value, ok = it.value.(string)
	}
	return value, ok
}

// Resolve maps what an executor found wrong with the settings of b to places in the
// files: those of the attributes, or of the blocks in which they would be.
func (b *Backend) Resolve(found []executor.Diagnostic) diag.Diagnostics {
	var ds diag.Diagnostics
	for _, f := range found {
		at, exact := b.locate(f.Path)
		if !exact || at == (diag.Range{}) && len(f.Path) > 0 {
			f.Message = strings.Join(f.Path, ".") + ": " + f.Message
		}
		ds = append(ds, diag.Diagnostic{Severity: f.Severity, Range: at, Message: f.Message, Hint: f.Hint})
	}
	return b.named(ds)
}

// locate follows the path of an executor's diagnostic as far as it goes.
func (b *Backend) locate(path []string) (diag.Range, bool) {
	if len(path) == 0 {
		return b.at(), true
	}
	inside := func(v any, at diag.Range, path []string) (diag.Range, bool) {
		made, ok := v.(*body)
		if !ok {
			return at, len(path) == 0
		}
		return made.locate(path...)
	}
	switch path[0] {
	case "config":
		return inside(b.Config, b.at(), path[1:])
	case "runtime":
		if len(path) > 1 {
			if r, ok := find(b.Runtimes, path[1], func(r Runtime) string { return r.Name }); ok {
				return inside(r.Body, r.at, path[2:])
			}
		}
		return b.at(), false
	}
	return b.source.locate(path...)
}

// named puts the backend's name before messages that have no place.
func (b *Backend) named(ds diag.Diagnostics) diag.Diagnostics {
	for i := range ds {
		if ds[i].Range == (diag.Range{}) {
			ds[i].Message = fmt.Sprintf("backend %q: %s", b.Name, ds[i].Message)
		}
	}
	return ds.Sorted()
}
