package containers

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"sync"

	"github.com/davit-run/davit/shared/executor"
)

// What the arguments of a container say makes its Create end the executor, or hang and
// heed nothing. Before it hangs it says so in the container's output.
const (
	ends  = "ends-its-executor"
	hangs = "hangs-for-ever"
)

// difficult returns e with difficult containers.
func difficult(e executor.Executor) executor.Executor {
	open := e.Open
	e.Prototype = nil
	e.Open = func(ctx context.Context, env executor.Environment, host executor.Host) (executor.Backend, error) {
		b, err := open(ctx, env, host)
		if err != nil {
			return nil, err
		}
		return difficulty{b.(capable), new(sync.Map)}, nil
	}
	return e
}

// The first close of each input fails, as with a daemon that is down.
type difficulty struct {
	capable
	asked *sync.Map
}

// capable is what tests need of a backend.
type capable interface {
	executor.Backend
	executor.Declarer
	executor.Meter
	executor.Updater
	executor.InputCloser
	executor.Pauser
}

func (d difficulty) CloseInput(ctx context.Context, ref executor.Ref) error {
	if _, again := d.asked.LoadOrStore(ref, true); !again {
		return executor.Errorf(executor.Unavailable, "the daemon is down")
	}
	return d.capable.CloseInput(ctx, ref)
}

func (d difficulty) Create(ctx context.Context, w executor.Workload) (executor.Status, error) {
	switch {
	case bytes.Contains(w.Spec, []byte(ends)):
		os.Exit(9)
	case bytes.Contains(w.Spec, []byte(hangs)):
		if err := os.WriteFile(w.Stdio.Stdout.Path, []byte(hangs), 0o600); err != nil {
			return executor.Status{}, err
		}
		select {}
	}
	if w.Ref == w.Ref.Init() {
		w.Spec = withoutMachine(w.Spec)
	}
	return d.capable.Create(ctx, w)
}

// withoutMachine returns a spec without what the executor in memory would refuse, since its
// workloads have nothing of a machine.
func withoutMachine(text json.RawMessage) json.RawMessage {
	var spec map[string]json.RawMessage
	if json.Unmarshal(text, &spec) != nil {
		return text
	}
	delete(spec, "hostname")
	delete(spec, "mounts")
	text, _ = json.Marshal(spec)
	return text
}
