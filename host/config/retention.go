package config

import (
	"fmt"
	"time"

	"github.com/docker/go-units"
)

// Retention configures how long is kept what has ended.
type Retention struct {
	// Ended is how long a container is kept after it has ended for good, a duration such
	// as 720h. It is then removed, with its output. 0 keeps it until somebody removes it.
	Ended string `json:"ended"`
	// AttemptsSize is how much output the earlier attempts of a container may have
	// together, as a size such as 512m. The oldest attempts are dropped first. 0 is no
	// limit; of more than ten attempts no output is kept in any case.
	AttemptsSize string `json:"attempts_size"`
}

// EndedAge returns Ended, 0 for no end.
func (r Retention) EndedAge() (time.Duration, error) {
	if r.Ended == "0" {
		return 0, nil
	}
	age, err := time.ParseDuration(r.Ended)
	if err != nil || age < 0 {
		return 0, fmt.Errorf("%q is not a duration such as 720h", r.Ended)
	}
	return age, nil
}

// AttemptsBytes returns AttemptsSize in bytes, 0 for no limit.
func (r Retention) AttemptsBytes() (int64, error) {
	n, err := units.RAMInBytes(r.AttemptsSize)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is not a size such as 512m", r.AttemptsSize)
	}
	return n, nil
}
