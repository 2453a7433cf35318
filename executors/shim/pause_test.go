package shim_test

import (
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
)

// TestPause pauses a container, over the death of the executor.
func TestPause(t *testing.T) {
	everyShim(t, func(t *testing.T, f *fixture, runtime string) {
		ref := first("p")
		f.run(ref, runtime, realtest.Chatter)
		realtest.Pause(t, f.b, func() realtest.Pauser {
			f.b.Crash()
			f.open()
			return f.b
		}, f.host, f.streams, ref)
	})
}

// TestFreezeThatTakesTries pauses a container whose runtime gives up twice.
func TestFreezeThatTakesTries(t *testing.T) {
	runc, _ := exec.LookPath("runc")
	realtest.Need(t, runc)
	body, err := json.Marshal(map[string]any{"path": realtest.FailsTwice(t, runc, "pause")})
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, nil, executor.RuntimeSettings{Name: "twice", Body: body})
	ref := first("p")
	f.run(ref, "twice", realtest.Chatter)
	if err := f.b.Pause(t.Context(), ref); err != nil {
		t.Error(err)
	}
}
