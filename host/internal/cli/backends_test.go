package cli

import (
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
)

func TestStateOf(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		info api.BackendInfo
		want string
	}{
		{api.BackendInfo{State: api.BackendReady, Since: now.Add(-2 * time.Minute)}, "ready 2m"},
		{api.BackendInfo{State: api.BackendFailed, Since: now.Add(-3 * time.Second), NextTry: now.Add(20 * time.Second)}, "failed 3s, next try in 20s"},
		{api.BackendInfo{State: "gone"}, "gone"},
	} {
		if got := stateOf(tt.info, now); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
