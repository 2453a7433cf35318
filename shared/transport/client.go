package transport

import (
	"context"
	"slices"

	"github.com/davit-run/davit/shared/executor"
)

// Client calls an executor. It has the five methods of [executor.Backend], so that it
// can serve as one. All others are called through their [Method]. It is safe for
// concurrent use.
type Client struct {
	*Conn
	// Capabilities are those of the opened backend, from [OpenReply].
	Capabilities []executor.Capability
}

var (
	_ executor.Backend = Client{}
	_ Caller           = Client{}
)

// Offers implements [Caller].
func (c Client) Offers(cap executor.Capability) bool { return slices.Contains(c.Capabilities, cap) }

// HostHandlers serves an executor's calls with host.
func HostHandlers(host executor.Host) Handlers {
	return Handlers{
		MethodExited.Name: MethodExited.Handler(func(ctx context.Context, s executor.Status) (None, error) {
			return None{}, host.Exited(ctx, s)
		}),
		MethodReleased.Name: MethodReleased.Handler(func(ctx context.Context, r ReleasedRequest) (None, error) {
			return None{}, host.Released(ctx, r.Ref, r.Output)
		}),
	}
}
