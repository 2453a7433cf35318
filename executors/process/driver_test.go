package process_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/shared/executor"
)

// driven returns the workload of a number, and creates its output file.
func driven(dir string, n int) executor.Workload {
	ref := first(fmt.Sprintf("d-%d", n))
	path := filepath.Join(dir, "io", ref.ID+".1.out")
	h, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	h.Close()
	spec, err := json.Marshal(command(fmt.Sprintf("echo start; sleep 0.0%d; echo end; exit %d", n%6, n%200)))
	if err != nil {
		panic(err)
	}
	return executor.Workload{Ref: ref, Spec: spec, Stdio: executor.Stdio{Stdout: executor.Stream{Kind: executor.StreamFile, Path: path}}}
}

// deafHost answers nothing.
type deafHost struct{}

func (deafHost) Exited(ctx context.Context, _ executor.Status) error {
	<-ctx.Done()
	return ctx.Err()
}

func (deafHost) Released(ctx context.Context, _ executor.Ref, _ executor.Output) error {
	<-ctx.Done()
	return ctx.Err()
}
