package executor

import (
	"cmp"
	"slices"
)

// Capability names an optional interface of a [Backend], or a part of a request
// that not every backend knows.
type Capability string

// known maps each capability that this package declares to the test of whether a
// backend has it. It is complete when the package is initialized.
var known = map[Capability]func(Backend) bool{}

// capability declares the optional interface I. Each is declared in the file of its
// interface, and nowhere else.
func capability[I any](name Capability) Capability {
	known[name] = func(b Backend) bool {
		_, ok := b.(I)
		return ok
	}
	return name
}

// feature declares a capability that is not an interface. Backends declare it by
// [Declarer].
func feature(name Capability) Capability {
	known[name] = func(b Backend) bool {
		d, ok := b.(Declarer)
		return ok && slices.Contains(d.Declares(), name)
	}
	return name
}

// Declarer is implemented by backends with capabilities that are not interfaces, such
// as [CapExec]. Declares is asked after Open, and on a nil Prototype before.
type Declarer interface {
	Declares() []Capability
}

// Selective is implemented by backends whose method set promises more than they can
// do, because they forward calls. A capability that Offers denies is neither reported
// nor called. Offers is called when Declares is.
type Selective interface {
	Offers(c Capability) bool
}

// Offers reports whether b has a capability.
func Offers(b Backend, c Capability) bool {
	has := known[c]
	if has == nil || !has(b) {
		return false
	}
	s, selective := b.(Selective)
	return !selective || s.Offers(c)
}

// Capabilities returns the capabilities of b, sorted.
func Capabilities(b Backend) []Capability {
	return slices.DeleteFunc(KnownCapabilities(), func(c Capability) bool { return !Offers(b, c) })
}

// KnownCapabilities returns all capabilities of this version of the contract,
// sorted.
func KnownCapabilities() []Capability {
	all := make([]Capability, 0, len(known))
	for c := range known {
		all = append(all, c)
	}
	slices.SortFunc(all, cmp.Compare)
	return all
}
