package executor

import (
	"context"
	"encoding/json"
)

// Capability names an optional interface of a [Backend].
type Capability string

// The capabilities that this version of the contract knows.
const (
	CapRuntimeResolve Capability = "runtime-resolve"
	CapRuntimeList    Capability = "runtime-list"
	CapCheck          Capability = "check"
	CapClose          Capability = "close"
)

// RuntimeResolver is implemented by backends that offer a choice of runtimes.
type RuntimeResolver interface {
	// ResolveRuntime gives what a runtime's name means now; "" is the backend's
	// default. It is called when a container is made, and refuses what cannot
	// run: [NotFound] for an unknown name, [FailedPrecondition] for one that is
	// configured but cannot be used here, with the remedy in the message.
	ResolveRuntime(ctx context.Context, name string) (Runtime, error)
}

// RuntimeLister is implemented by backends that can list their runtimes.
type RuntimeLister interface {
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
	// Version as the program itself tells it, if it was asked.
	Version string `json:"version,omitempty"`
	// Problem is why the runtime cannot be chosen, empty if it can.
	Problem string `json:"problem,omitempty"`
	// Resolved is what ResolveRuntime would give now.
	Resolved json.RawMessage `json:"resolved,omitempty"`
}

// Checker is implemented by backends that can look at the live system for what
// would keep workloads from running.
type Checker interface {
	Check(ctx context.Context) ([]Diagnostic, error)
}

// Closer is implemented by backends that hold more than memory. Close is called
// once, before the process ends in good order. Workloads that run are left
// running; what only this process needs is released.
type Closer interface {
	Close(ctx context.Context) error
}

// Capabilities gives the optional interfaces that b implements.
func Capabilities(b Backend) []Capability {
	var caps []Capability
	if _, ok := b.(RuntimeResolver); ok {
		caps = append(caps, CapRuntimeResolve)
	}
	if _, ok := b.(RuntimeLister); ok {
		caps = append(caps, CapRuntimeList)
	}
	if _, ok := b.(Checker); ok {
		caps = append(caps, CapCheck)
	}
	if _, ok := b.(Closer); ok {
		caps = append(caps, CapClose)
	}
	return caps
}
