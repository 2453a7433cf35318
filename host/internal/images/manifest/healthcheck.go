package manifest

import (
	"encoding/json"
	"time"
)

// Healthcheck is what docker's builder adds to the config of an image for HEALTHCHECK. OCI's
// config does not have it.
type Healthcheck struct {
	// Test is empty, or begins with NONE, CMD or CMD-SHELL.
	Test []string
	// Times are in nanoseconds; zero is the default.
	Interval, Timeout, StartPeriod, StartInterval time.Duration
	Retries                                       int
}

// ParseHealthcheck reads the health check of a config, nil if there is none, and the shell
// for CMD-SHELL.
func ParseHealthcheck(raw []byte) (check *Healthcheck, shell []string, err error) {
	var c struct {
		Config struct {
			Healthcheck *Healthcheck
			Shell       []string
		} `json:"config"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, nil, invalid("the health check of its config: %w", err)
	}
	if shell = c.Config.Shell; len(shell) == 0 {
		shell = []string{"/bin/sh", "-c"}
	}
	return c.Config.Healthcheck, shell, nil
}
