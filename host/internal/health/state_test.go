package health

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
)

// TestState feeds results to a state: + for a success, - for a failure, a digit for the time
// in seconds from which on they come. The check has 2 retries and a start period of 5s.
func TestState(t *testing.T) {
	check := api.HealthCheck{Command: []string{"x"}, Retries: 2, Interval: time.Minute, StartPeriod: new(5 * time.Second), StartInterval: time.Second}.Resolved()
	for results, want := range map[string]string{
		"":          "starting 0 1s",
		"0----":     "starting 0 1s", // in the start period
		"0+":        "healthy 0 1m0s",
		"0+-":       "healthy 1 1m0s", // it is over with the first success
		"0+--":      "unhealthy 2 1m0s",
		"0--5-":     "starting 1 1m0s",
		"5":         "starting 0 1m0s",
		"5--":       "unhealthy 2 1m0s",
		"5---+":     "healthy 0 1m0s",
		"5-+-":      "healthy 1 1m0s",
		"5--------": "unhealthy 8 1m0s",
	} {
		s, at := State{Status: api.HealthStarting}, time.Duration(0)
		for _, r := range results {
			switch r {
			case '+':
				s.Add(&check, at, api.HealthResult{})
			case '-':
				s.Add(&check, at, api.HealthResult{ExitCode: 1})
			default:
				at = time.Duration(r-'0') * time.Second
			}
		}
		if got := fmt.Sprint(s.Status, " ", s.FailingStreak, " ", s.interval(&check, at)); got != want {
			t.Errorf("%s: got %s, want %s", results, got, want)
		}
	}
}

func TestStateKeepsTheLastResults(t *testing.T) {
	check := api.HealthCheck{}.Resolved()
	s := State{Status: api.HealthStarting}
	for i := range 20 {
		before := s
		s.Add(&check, 0, api.HealthResult{ExitCode: i, Output: strings.Repeat("é", 1+i*1000)[1:]})
		if n := len(before.Log); n > 0 && before.Log[n-1].ExitCode != i-1 {
			t.Fatal("a copy has changed")
		}
	}
	if len(s.Log) != api.MaxHealthLog || s.Log[0].ExitCode != 15 || s.Log[4].ExitCode != 19 {
		t.Errorf("got %d results, the first with %d", len(s.Log), s.Log[0].ExitCode)
	}
	out := s.Log[4].Output
	if len(out) > api.MaxHealthOutput || len(out) < api.MaxHealthOutput-2 || !strings.HasPrefix(out, "?é") || !strings.HasSuffix(out, "?") {
		t.Errorf("got %d bytes of output", len(out))
	}
}
