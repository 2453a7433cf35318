package transport

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
)

// MethodStrays calls [executor.StrayKeeper].Strays.
var MethodStrays = define(Method[None, []executor.Stray]{
	Name:       "strays",
	Doc:        "lists what runs for hosts that are lost",
	Capability: executor.CapStrays,
	Limit:      Ask,
	MaxReply:   200_000,
	CheckReply: func(_ None, all []executor.Stray) error {
		for _, s := range all {
			if err := s.Validate(); err != nil {
				return err
			}
		}
		return nil
	},
	Serve: upgrade(func(ctx context.Context, b executor.StrayKeeper, _ None) ([]executor.Stray, error) {
		return b.Strays(ctx)
	}),
})

// StrayRequest names a stray, by the ref of its status and its key.
type StrayRequest struct {
	Ref executor.Ref `json:"ref"`
	Key string       `json:"key"`
}

func (r StrayRequest) ref() executor.Ref { return r.Ref }

// MethodStrayAdopt calls [executor.StrayKeeper].AdoptStray.
var MethodStrayAdopt = define(Method[StrayRequest, executor.Status]{
	Name:       "stray-adopt",
	Doc:        "makes a stray an attempt of the backend",
	Capability: executor.CapStrays,
	Lock:       LockContainer,
	Limit:      Act,
	Ref:        StrayRequest.ref,
	CheckReply: func(r StrayRequest, s executor.Status) error { return statusOf(r.Ref, s) },
	Serve: upgrade(func(ctx context.Context, b executor.StrayKeeper, r StrayRequest) (executor.Status, error) {
		return b.AdoptStray(ctx, r.Ref, r.Key)
	}),
})

// MethodStrayRemove calls [executor.StrayKeeper].RemoveStray.
var MethodStrayRemove = define(Method[StrayRequest, None]{
	Name:       "stray-remove",
	Doc:        "kills and removes a stray",
	Capability: executor.CapStrays,
	Lock:       LockContainer,
	Limit:      End,
	Ref:        StrayRequest.ref,
	Serve: upgrade(func(ctx context.Context, b executor.StrayKeeper, r StrayRequest) (None, error) {
		return None{}, b.RemoveStray(ctx, r.Ref, r.Key)
	}),
})
