package health

import (
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
)

// State is what the probes of an attempt have found out.
type State struct {
	Status        api.HealthStatus
	FailingStreak int
	// Log has the last results, the oldest first.
	Log []api.HealthResult
}

// Add adds the result of a probe that began so long after the start of the attempt.
func (s *State) Add(check *api.HealthCheck, uptime time.Duration, r api.HealthResult) {
	r.Output = head(r.Output)
	s.Log = append(slices.Clone(s.Log[max(0, len(s.Log)+1-api.MaxHealthLog):]), r)
	switch {
	case r.ExitCode == 0:
		s.Status, s.FailingStreak = api.HealthHealthy, 0
	case s.Status == api.HealthStarting && uptime < *check.StartPeriod: // does not count
	default:
		if s.FailingStreak++; s.FailingStreak >= check.Retries {
			s.Status = api.HealthUnhealthy
		}
	}
}

// interval returns the time between two probes, so long after the start of the attempt.
func (s *State) interval(check *api.HealthCheck, uptime time.Duration) time.Duration {
	if s.Status == api.HealthStarting && uptime < *check.StartPeriod {
		return check.StartInterval
	}
	return check.Interval
}

// head returns the beginning of an output, as text.
func head(output string) string {
	return strings.ToValidUTF8(output[:min(len(output), api.MaxHealthOutput)], "?")
}
