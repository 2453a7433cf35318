package lifecycle

import (
	"context"
	"reflect"

	"github.com/davit-run/davit/shared/executor"
)

// forwarded are the capabilities that the Backend forwards to processes, each with
// the interface that such a process implements. It is complete when the package is
// initialized, and not changed afterwards.
var forwarded []capability

type capability struct {
	name executor.Capability
	of   reflect.Type
}

// forwards declares that a capability is forwarded to processes that implement C.
func forwards[C any](name executor.Capability) capability {
	c := capability{name, reflect.TypeFor[C]()}
	forwarded = append(forwarded, c)
	return c
}

// Offers implements [executor.Selective]. It denies the forwarded capabilities that a
// process of this type does not have. It denies no others, since a type that embeds
// the Backend may have them. It can be called on nil, and so on a Prototype without a
// Backend.
func (b *Backend[J, P]) Offers(name executor.Capability) bool {
	for _, c := range forwarded {
		if c.name == name && !reflect.TypeFor[P]().Implements(c.of) {
			return false
		}
	}
	return true
}

// forward calls fn with the process of a ref, as the interface of a capability.
func forward[C any, J any, P Process](ctx context.Context, b *Backend[J, P], c capability, ref executor.Ref, fn func(p C, a *attempt[P]) error) error {
	if b.further(ref) {
		return b.execs.reach(ctx, ref, func(p any) error {
			able, ok := p.(C)
			if !ok {
				return executor.Errorf(executor.Unsupported, "%s: %s is offered for whole attempts alone", ref, c.name)
			}
			return fn(able, nil)
		})
	}
	return b.with(ctx, ref, func(p P, a *attempt[P]) error {
		able, ok := any(p).(C)
		if !ok {
			return executor.Errorf(executor.Unsupported, "%s is not offered by this executor", c.name)
		}
		return fn(able, a)
	})
}
