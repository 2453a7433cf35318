package executor

import (
	"context"
	"encoding/json"
)

// CapRuntimeResolve is the capability of a [RuntimeResolver].
var CapRuntimeResolve = capability[RuntimeResolver]("runtime-resolve")

// RuntimeResolver is implemented by backends that offer a choice of runtimes.
type RuntimeResolver interface {
	// ResolveRuntime returns what a runtime's name means now; "" is the backend's
	// default. It is called when a container is created, and refuses a runtime that
	// cannot run: [NotFound] for an unknown name, [FailedPrecondition] for one that
	// is configured but cannot be used here, with the remedy in the message.
	ResolveRuntime(ctx context.Context, name string) (Runtime, error)
}

// CapRuntimeList is the capability of a [RuntimeLister].
var CapRuntimeList = capability[RuntimeLister]("runtime-list")

// RuntimeLister is implemented by backends that can list their runtimes.
type RuntimeLister interface {
	// Runtimes returns all runtimes that can be named, including those that cannot be
	// used.
	Runtimes(ctx context.Context) ([]RuntimeInfo, error)
}

// RuntimeInfo describes a runtime for people.
type RuntimeInfo struct {
	Name    string `json:"name"`
	Default bool   `json:"default,omitempty"`
	// Shim and Path say what runs: a shim's name, and the OCI binary if the
	// runtime names one.
	Shim string `json:"shim,omitempty"`
	Path string `json:"path,omitempty"`
	// Version is what the program itself reports, if it was asked.
	Version string `json:"version,omitempty"`
	// Problem is why the runtime cannot be chosen, empty if it can.
	Problem string `json:"problem,omitempty"`
	// Resolved is what ResolveRuntime would return now.
	Resolved json.RawMessage `json:"resolved,omitempty"`
}
