package cli

import (
	"errors"
	"strconv"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/spf13/pflag"
)

// healthFlags registers the flags of `davit run` for the health check. Those that are given
// make one.
func healthFlags(fs *pflag.FlagSet, to **api.HealthCheck) {
	set := func(name, usage string, apply func(h *api.HealthCheck, s string) error) {
		fs.Func(name, usage, func(s string) error {
			if s == "" {
				return errors.New("it is empty; leave the flag out if that is meant")
			}
			return apply(healthCheck(to), s)
		})
	}
	set("health-cmd", "`COMMAND` for a shell in the container that ends with 0 if it is healthy", func(h *api.HealthCheck, s string) error {
		h.Command = []string{"/bin/sh", "-c", s}
		return nil
	})
	set("health-tcp", "healthy if it accepts a connection at `ADDRESS` [HOST:]PORT, seen from inside", func(h *api.HealthCheck, s string) error {
		h.TCP = s
		return nil
	})
	set("health-http", "healthy if `URL`, or :PORT/PATH, has a status of 200 to 399, seen from inside", func(h *api.HealthCheck, s string) error {
		h.HTTP = s
		return nil
	})
	times := func(name, usage string, apply func(h *api.HealthCheck, d time.Duration)) {
		set(name, usage, func(h *api.HealthCheck, s string) error {
			d, err := time.ParseDuration(s)
			if err != nil || d <= 0 && (d < 0 || name != "health-start-period") {
				return errors.New("give a time such as 30s or 1m30s")
			}
			apply(h, d)
			return nil
		})
	}
	times("health-interval", "`DURATION` between checks (default 30s)", func(h *api.HealthCheck, d time.Duration) { h.Interval = d })
	times("health-timeout", "`DURATION` that a check may take (default 30s)", func(h *api.HealthCheck, d time.Duration) { h.Timeout = d })
	set("health-retries", "`NUMBER` of failures in a row that make it unhealthy (default 3)", func(h *api.HealthCheck, s string) (err error) {
		if h.Retries, err = strconv.Atoi(s); err != nil || h.Retries < 1 {
			return errors.New("give a number of at least 1")
		}
		return nil
	})
	times("health-start-period", "`DURATION` after the start in which failures do not count (default 0s)", func(h *api.HealthCheck, d time.Duration) { h.StartPeriod = &d })
	times("health-start-interval", "`DURATION` between checks during the start period (default 5s)", func(h *api.HealthCheck, d time.Duration) { h.StartInterval = d })
	fs.BoolFunc("no-healthcheck", "no health check, also if the image has one", func(s string) error {
		none, err := strconv.ParseBool(s)
		if none {
			healthCheck(to).None = true
		}
		return err
	})
}

// healthCheck returns a health check, which it makes if there is none.
func healthCheck(to **api.HealthCheck) *api.HealthCheck {
	if *to == nil {
		*to = new(api.HealthCheck)
	}
	return *to
}
