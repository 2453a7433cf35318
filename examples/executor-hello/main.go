// Command davit-executor-hello is a smallest executor. Its workloads say hello
// on stdout and end at once with code 0.
package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/plugin"
)

func main() {
	plugin.Serve(executor.Executor{Name: "hello", Version: "1.0.0", Open: open})
}

func open(_ context.Context, _ executor.Environment, host executor.Host) (executor.Backend, error) {
	return &backend{host: host, ended: map[string]executor.Status{}}, nil
}

type backend struct {
	host  executor.Host
	mu    sync.Mutex
	ended map[string]executor.Status // by container id
}

// Create runs the workload, which is over before it returns.
func (b *backend) Create(_ context.Context, w executor.Workload) (executor.Status, error) {
	if known, ok := b.known(w.Ref.ID); ok && known.Ref.Attempt >= w.Ref.Attempt {
		if known.Ref != w.Ref {
			return known, executor.Errorf(executor.FailedPrecondition, "%s: a newer attempt is known", w.Ref)
		}
		return known, nil
	}
	out, err := os.OpenFile(w.Stdio.Stdout.Path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return executor.Status{}, executor.Errorf(executor.Invalid, "stdout: %w", err)
	}
	defer out.Close()
	if _, err := fmt.Fprintf(out, "hello from %s\n", w.Ref); err != nil {
		return executor.Status{}, err
	}
	code, now := 0, time.Now()
	status := executor.Status{
		Ref: w.Ref, State: executor.Exited, StartedAt: now,
		Exit: &executor.Exit{Code: &code, At: now, Source: executor.Observed},
	}
	b.mu.Lock()
	b.ended[w.Ref.ID] = status
	b.mu.Unlock()
	go b.report(status)
	return status, nil
}

// report hands the exit over, and then says that the output is complete.
func (b *backend) report(status executor.Status) {
	ctx := context.Background()
	if b.host.Exited(ctx, status) == nil {
		_ = b.host.Released(ctx, status.Ref, executor.Complete)
	}
}

// Restore finds what this process has run. It does not outlive the process,
// which a real executor's workloads and records must.
func (b *backend) Restore(_ context.Context, ref executor.Ref, _ executor.Stdio) (executor.Status, error) {
	status, ok := b.known(ref.ID)
	if !ok || status.Ref != ref {
		return executor.Status{}, executor.Errorf(executor.NotFound, "%s is not known", ref)
	}
	go b.report(status)
	return status, nil
}

func (b *backend) List(context.Context) ([]executor.Status, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []executor.Status
	for _, status := range b.ended {
		all = append(all, status)
	}
	return all, nil
}

func (b *backend) Signal(_ context.Context, ref executor.Ref, _ executor.Signal) error {
	if _, ok := b.known(ref.ID); !ok {
		return executor.Errorf(executor.NotFound, "%s is not known", ref)
	}
	return executor.Errorf(executor.FailedPrecondition, "%s has ended", ref)
}

func (b *backend) Delete(_ context.Context, ref executor.Ref) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.ended, ref.ID)
	return nil
}

func (b *backend) known(id string) (executor.Status, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	status, ok := b.ended[id]
	return status, ok
}
