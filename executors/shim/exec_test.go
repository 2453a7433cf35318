package shim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

func TestExecLeavesOthersBehind(t *testing.T) {
	everyShim(t, func(t *testing.T, f *fixture, runtime string) {
		ref := first("x")
		f.run(ref, runtime, "sleep 1000")
		realtest.LeaveBehind(t, f.b, f.host, f.streams, ref)
	})
}

// TestExecThatWasCutOff: a shim ends the runtime that starts a further process when its
// caller goes away. The command may have run by then, and is not started again, which would
// end that shim as well.
func TestExecThatWasCutOff(t *testing.T) {
	runc, err := exec.LookPath("runc")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	program, hangs := filepath.Join(dir, "runc"), filepath.Join(dir, "hangs")
	script := fmt.Sprintf("#!/bin/sh\nif [ ! -e %[1]s ]; then case \" $* \" in *\" exec \"*) : >%[1]s; exec sleep 1000; esac; fi\nexec %[2]s \"$@\"\n", hangs, runc)
	if err := linux.WriteProgram(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]string{"path": program, "shim": filepath.Join(realtest.Bin(t, realtest.V24), "containerd-shim-runc-v2")})
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, nil, executor.RuntimeSettings{Name: "hangs", Body: body})
	ref := first("x")
	started := f.run(ref, "hangs", "sleep 1000")
	w := realtest.Further(t, ref, "cut", "echo ran; exit 3")
	w.Stdio.Stdout = f.streams.File(ref, "cut")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	created := make(chan error, 1)
	go func() {
		_, err := f.b.Create(ctx, w)
		created <- err
	}()
	wait.Until(t, "the start hangs", func() bool { _, err := os.Stat(hangs); return err == nil })
	cancel()
	if err := <-created; !errors.Is(err, executor.OutcomeUnknown) {
		t.Errorf("create: got %v, want that its outcome is unknown", err)
	}
	st, err := f.b.Create(t.Context(), w)
	if err != nil || st.Exit == nil || st.Exit.Source != executor.Lost {
		t.Errorf("create again: got %+v, %v, want that it is lost", st, err)
	}
	f.host.WaitReleased(t, w.Ref)
	if text := f.streams.Output(ref, "cut"); text != "" {
		t.Errorf("it has written %q", text)
	}
	if st, err := f.b.Restore(t.Context(), ref, executor.Stdio{}); err != nil || st.State != executor.Running || st.PID != started.PID {
		t.Errorf("the container: got %+v, %v, want that it runs as process %d", st, err, started.PID)
	}
}
