package containers

import (
	"time"

	"github.com/davit-run/davit/host/config"
)

// Limits are what a host's config allows to all containers together.
type Limits struct {
	// MaxOutput is the default cap of a stream in bytes; 0 means none.
	MaxOutput int64
	// ForbidHooks refuses containers with hooks.
	ForbidHooks bool
	// KeepEnded is how long containers are kept after their end, and AttemptsBytes how much
	// output the earlier attempts of a container have together; 0 is for ever and no limit.
	KeepEnded     time.Duration
	AttemptsBytes int64
}

// LimitsOf returns the limits of a config that is valid and has its defaults.
func LimitsOf(cfg config.Config) Limits {
	l := Limits{ForbidHooks: cfg.ForbidHooks}
	l.MaxOutput, _ = cfg.Output.MaxBytes()
	l.KeepEnded, _ = cfg.Retention.EndedAge()
	l.AttemptsBytes, _ = cfg.Retention.AttemptsBytes()
	return l
}

// SetLimits changes the limits. What is under way keeps those that it began with.
func (m *Manager) SetLimits(l Limits) {
	m.limits.Store(&l)
	select {
	case m.relimited <- struct{}{}:
	default: // it has been woken
	}
}
