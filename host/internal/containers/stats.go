package containers

import (
	"context"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// Stats returns what the processes of a container use. Its executor measures them, and the host
// its network, which is the host's.
func (m *Manager) Stats(ctx context.Context, reference string) (s api.Stats, err error) {
	if s.Stats, err = Act(ctx, m, reference, transport.MethodStats, Action[executor.Ref]{Request: Itself}); err != nil {
		return s, err
	}
	c, err := m.record(reference)
	if err != nil {
		return s, err
	}
	traffic, terr := m.networks.Traffic(c)
	if terr != nil {
		m.logger.Debug("the traffic of a container is not known", "container", c.ID, "error", terr)
	}
	s.Network = traffic
	return s, nil
}
