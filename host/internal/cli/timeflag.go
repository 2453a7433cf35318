package cli

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// timeFlag parses a time, a duration before now, or seconds since 1970. Nothing lies in
// the future, so -5m is the same as 5m.
func timeFlag(t *time.Time) func(string) error {
	return func(s string) error {
		if unix, ok := parseUnix(s); ok {
			*t = unix
			return nil
		}
		if ago, err := time.ParseDuration(s); err == nil {
			*t = time.Now().Add(-ago.Abs())
			return nil
		}
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateTime, time.DateOnly} {
			if at, err := time.ParseInLocation(layout, s, time.Local); err == nil {
				*t = at
				return nil
			}
		}
		return errors.New("give a time such as 2026-01-31T12:00:00Z, how long ago, such as 10m, or Unix seconds")
	}
}

// parseUnix parses seconds since 1970, with up to nine decimals.
func parseUnix(s string) (time.Time, bool) {
	whole, decimals, _ := strings.Cut(s, ".")
	if len(decimals) > 9 {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseUint(whole, 10, 33) // to the year 2242
	nanos, err2 := strconv.ParseUint(decimals+"000000000"[len(decimals):], 10, 64)
	if err != nil || err2 != nil {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), int64(nanos)), true
}
