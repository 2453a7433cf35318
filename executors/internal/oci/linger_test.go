package oci

import (
	"context"
	"errors"
	"testing"
	"time"
)

// untimed is a context whose deadline is at, and whose timer never fires.
type untimed struct {
	context.Context
	at time.Time
}

func (u untimed) Deadline() (time.Time, bool) { return u.at, true }

func TestExpired(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name string
		ctx  context.Context
		want error
	}{
		{"no deadline", t.Context(), nil},
		{"deadline to come", untimed{t.Context(), time.Now().Add(time.Hour)}, nil},
		{"deadline that has passed", untimed{t.Context(), time.Now()}, context.DeadlineExceeded},
		{"cancelled", cancelled, context.Canceled},
		{"cancelled before its deadline passed", untimed{cancelled, time.Now()}, context.Canceled},
	} {
		if got := Expired(tt.ctx); !errors.Is(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}
