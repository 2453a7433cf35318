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
	var terr error
	if s.Network, terr = m.Traffic(reference); terr != nil {
		m.logger.Debug("the traffic of a container is not known", "container", reference, "error", terr)
	}
	return s, nil
}

// Traffic returns what has passed each link of a container's network, which the host knows also
// where its backend does not answer.
func (m *Manager) Traffic(reference string) ([]api.Traffic, error) {
	c, err := m.record(reference)
	if err != nil {
		return nil, err
	}
	return m.networks.Traffic(c)
}
