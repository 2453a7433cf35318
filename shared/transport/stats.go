package transport

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
)

// MethodStats calls [executor.Meter].Stats.
var MethodStats = define(Method[executor.Ref, executor.Stats]{
	Name:       "stats",
	Doc:        "measures what an attempt uses",
	Capability: executor.CapStats,
	Lock:       LockNone,
	Limit:      Ask,
	MaxReply:   maxStats,
	Ref:        itself,
	CheckReply: func(_ executor.Ref, s executor.Stats) error { return s.Validate() },
	Serve: upgrade(func(ctx context.Context, b executor.Meter, ref executor.Ref) (executor.Stats, error) {
		return b.Stats(ctx, ref)
	}),
})

// maxStats bounds the values of a reply. A machine can have 32768 processes unless it is
// told otherwise (kernel.pid_max), and nobody reads on after so many.
const maxStats = 1 << 16
