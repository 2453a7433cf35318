package containers

import (
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
)

// TestDrainTime checks that no container keeps a host from ending for ever.
func TestDrainTime(t *testing.T) {
	for _, tt := range []struct{ own, asked, want time.Duration }{
		{-1, api.OwnStopTimeout, api.DefaultStopTimeout},
		{time.Minute, api.OwnStopTimeout, api.OwnStopTimeout},
		{-1, 0, 0},
		{-1, time.Second, time.Second},
	} {
		if got := drainTime(&store.Container{StopTimeout: &tt.own}, tt.asked); got != tt.want {
			t.Errorf("own %s, asked for %s: got %s, want %s", tt.own, tt.asked, got, tt.want)
		}
	}
}
