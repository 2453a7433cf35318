package transport

import (
	"context"
	"encoding/json"

	"github.com/davit-run/davit/shared/executor"
)

// UpdateRequest is the body of MethodUpdate.
type UpdateRequest struct {
	Ref       executor.Ref    `json:"ref"`
	Resources json.RawMessage `json:"resources"`
}

// MethodUpdate calls [executor.Updater].Update.
var MethodUpdate = define(Method[UpdateRequest, None]{
	Name:       "update",
	Doc:        "changes the limits of an attempt",
	Capability: executor.CapUpdate,
	Lock:       LockContainer,
	Limit:      Act,
	Ref:        func(r UpdateRequest) executor.Ref { return r.Ref },
	Check:      func(r UpdateRequest) error { return executor.CheckResources(r.Resources) },
	Serve: upgrade(func(ctx context.Context, b executor.Updater, r UpdateRequest) (None, error) {
		return None{}, b.Update(ctx, r.Ref, r.Resources)
	}),
})
