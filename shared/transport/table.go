package transport

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// Entry is a [Method] without its types, as in the table of all methods.
type Entry struct {
	Name       string
	Doc        string
	Capability executor.Capability
	Lock       Lock
	Limit      time.Duration
	Yields     bool
	Repeat     bool
	// ForBackend says that it is about an opened backend: Decode can be used.
	ForBackend bool
	// Request and Reply are zero values of its types.
	Request, Reply any
	// Decode reads a request and checks it.
	Decode func(body []byte) (Inbound, error)
}

// Inbound is a decoded request.
type Inbound struct {
	// Ref is the process that it is about, zero if it is about none.
	Ref executor.Ref
	// Needs are the capabilities that the request needs.
	Needs []executor.Capability
	// Preempts says that it ends calls that yield.
	Preempts bool
	// Serve calls the backend. The capabilities must have been checked before.
	Serve func(context.Context, executor.Backend) (any, error)
}

// table has the entries of all methods. It is complete when the package is
// initialized.
var table []Entry

// define puts a method into the table.
func define[Req, Reply any](m Method[Req, Reply]) *Method[Req, Reply] {
	var req Req
	var reply Reply
	table = append(table, Entry{
		Name: m.Name, Doc: m.Doc, Capability: m.Capability, Lock: m.Lock, Limit: m.Limit, Yields: m.Yields, Repeat: m.Repeat,
		ForBackend: m.Serve != nil, Request: req, Reply: reply,
		Decode: func(body []byte) (Inbound, error) {
			req, err := m.decode(body)
			if err != nil {
				return Inbound{}, err
			}
			in := Inbound{Needs: m.Required(req), Serve: func(ctx context.Context, b executor.Backend) (any, error) { return m.Serve(ctx, b, req) }}
			if m.Ref != nil {
				in.Ref = m.Ref(req)
			}
			in.Preempts = m.Preempts != nil && m.Preempts(req)
			return in, nil
		},
	})
	return &m
}

// Methods returns all methods, by name.
func Methods() []Entry {
	return slices.SortedFunc(slices.Values(table), func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
}

// BackendMethods returns the methods that need an opened backend, by name.
func BackendMethods() []Entry {
	return slices.DeleteFunc(Methods(), func(e Entry) bool { return !e.ForBackend })
}
