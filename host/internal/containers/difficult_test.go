package containers

import (
	"bytes"
	"context"
	"os"

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
		return difficulty{b}, err
	}
	return e
}

type difficulty struct{ executor.Backend }

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
	return d.Backend.Create(ctx, w)
}
