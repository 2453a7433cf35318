package store

import "time"

// HealthCheck is how the health of a container is checked. The fields are those of
// api.HealthCheck.
type HealthCheck struct {
	Command       []string       `json:"command,omitempty"`
	TCP           string         `json:"tcp,omitempty"`
	HTTP          string         `json:"http,omitempty"`
	None          bool           `json:"none,omitempty"`
	Interval      time.Duration  `json:"interval"`
	Timeout       time.Duration  `json:"timeout"`
	Retries       int            `json:"retries"`
	StartPeriod   *time.Duration `json:"start_period"`
	StartInterval time.Duration  `json:"start_interval"`
}

// Health is the health of an attempt, with the result of the probe that changed it. Probes
// that change nothing are not recorded.
type Health struct {
	Status        string       `json:"status"`
	FailingStreak int          `json:"failing_streak,omitempty"`
	Result        HealthResult `json:"result"`
}

// HealthResult is the result of a probe.
type HealthResult struct {
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	ExitCode int       `json:"exit_code"`
	Output   string    `json:"output,omitempty"`
}
