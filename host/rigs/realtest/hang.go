package realtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Hanging returns a runtime, as a block of a config with a name and, unless it is empty,
// a shim, that hangs when it is to do something ("create"). hangs waits until it does.
func Hanging(t testing.TB, name, shim, verb string) (block executor.RuntimeSettings, hangs func()) {
	t.Helper()
	dir := t.TempDir()
	sign, path := filepath.Join(dir, "hangs"), filepath.Join(dir, "runc")
	// The PATH of a daemon under test leads to few programs.
	script := fmt.Sprintf("#!/bin/sh\ncase \" $* \" in *\" %s \"*) : >%s; /bin/sleep 1000; esac\nexec runc \"$@\"\n", verb, sign)
	if err := linux.WriteProgram(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	body := map[string]string{"path": path}
	if shim != "" {
		body["shim"] = shim
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return executor.RuntimeSettings{Name: name, Body: text}, func() {
		t.Helper()
		wait.Until(t, "the runtime hangs", func() bool { return exists(sign) })
	}
}

// HangingHook adds to a spec a hook that is run once a container is made, and leaves a
// child that has the hook's streams. hangs waits until it was run, and ran returns how
// often it was.
func HangingHook(t testing.TB, spec json.RawMessage) (_ json.RawMessage, hangs func(), ran func() int) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "ran")
	var s specs.Spec
	if err := json.Unmarshal(spec, &s); err != nil {
		t.Fatal(err)
	}
	s.Hooks = &specs.Hooks{Poststart: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo >>" + log + "; sleep 1000 & exit 0"}}}}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	hangs = func() {
		t.Helper()
		wait.Until(t, "the hook runs", func() bool { return exists(log) })
	}
	ran = func() int {
		text, _ := os.ReadFile(log)
		return len(text)
	}
	return text, hangs, ran
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// CutShort cancels a Create that hangs, and checks that nothing is left of it, or only
// what can be destroyed.
func CutShort(t testing.TB, b executor.Backend, w executor.Workload, hangs func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	created := make(chan error, 1)
	go func() {
		_, err := b.Create(ctx, w)
		if ctx.Err() == nil {
			t.Errorf("create: got %v before it hung", err)
		}
		created <- err
	}()
	hangs()
	cancel()
	err := <-created
	switch executor.CodeOf(err) {
	case "": // it ran before it could be cut short
	case executor.Canceled:
		if _, err := b.Restore(t.Context(), w.Ref, w.Stdio); !errors.Is(err, executor.NotFound) {
			t.Errorf("restore after a create that was undone: got %v, want that nobody knows it", err)
		}
	case executor.OutcomeUnknown: // it may have begun to run
	default:
		t.Errorf("create: got %v, want that it was cut short", err)
	}
	if err := executor.Destroy(t.Context(), b, w.Ref); err != nil {
		t.Errorf("destroy: %v", err)
	}
	all, err := b.List(t.Context())
	if err != nil || len(all) > 0 {
		t.Errorf("list: got %+v, %v, want nothing", all, err)
	}
}
