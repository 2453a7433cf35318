package cli

import (
	"errors"
	"strconv"
	"time"
)

// Seconds is a duration whose text may also be a number of seconds. It is nil until it is
// set, and after "own": zero is not absent.
type Seconds struct{ *time.Duration }

// Or returns the duration, or another one if it is nil.
func (s *Seconds) Or(d time.Duration) time.Duration {
	if s.Duration == nil {
		return d
	}
	return *s.Duration
}

// Type implements pflag.Value.
func (s *Seconds) Type() string { return "duration" }

func (s *Seconds) String() string {
	if s.Duration == nil {
		return "" // no default to show
	}
	return s.Duration.String()
}

// Set implements pflag.Value.
func (s *Seconds) Set(value string) error {
	if value == "own" {
		s.Duration = nil
		return nil
	}
	if _, err := strconv.ParseFloat(value, 64); err == nil {
		value += "s"
	}
	d, err := time.ParseDuration(value)
	if err != nil {
		return errors.New("give seconds, or a duration such as 1m30s")
	}
	s.Duration = &d
	return nil
}
