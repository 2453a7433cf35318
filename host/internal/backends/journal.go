package backends

import (
	"context"
	"fmt"
	"strconv"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/supervisor"
)

// journal appends an event for a change of a backend's state. A backend that fails again
// and again has one event for that; its tries have none.
func (s *Set) journal(b *Backend, info supervisor.Info) {
	leaving := s.closing.Load() || b.leaving.Load() // the host ends or leaves it, not the executor
	now := fmt.Sprint(info.State, info.PID)
	if info.State == supervisor.Starting || now == b.journaled || leaving {
		return
	}
	b.journaled = now
	data := map[string]string{"executor": b.Config().Executor}
	switch info.State {
	case supervisor.Ready:
		data["pid"], data["version"] = strconv.Itoa(info.PID), info.Description.Version
	case supervisor.Waiting, supervisor.Failed:
		data["error"], data["failures"] = info.LastError, strconv.Itoa(info.Failures)
	}
	err := s.opts.Journal(context.Background(), store.Event{Type: api.BackendEvent(api.BackendState(info.State)), Backend: info.Name, Data: data})
	if err != nil {
		s.opts.Logger.Error("the state of a backend was not journaled", "backend", info.Name, "state", string(info.State), "error", err)
	}
}
