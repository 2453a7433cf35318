package storm

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/host/rigs/gobuild"
	"github.com/davit-run/davit/host/rigs/overlay"
	"github.com/davit-run/davit/shared/linux"
)

// programs are built from davit's module, with failpoints and bugs or without, once
// each.
type programs struct {
	dir, module string
	built       map[bool]string // directories, by whether failpoints are in
}

func newPrograms(module string) (*programs, error) {
	dir, err := os.MkdirTemp("", "dvb")
	return &programs{dir: dir, module: module, built: map[bool]string{}}, err
}

func (p *programs) remove() error { return os.RemoveAll(p.dir) }

// build returns the directory of davit, all executors that are stormed and the
// workload.
func (p *programs) build(ctx context.Context, targets []target, failpoints bool) (string, error) {
	if dir := p.built[failpoints]; dir != "" {
		return dir, nil
	}
	dir, args := filepath.Join(p.dir, "plain"), []string{"build"}
	if failpoints {
		changed, err := overlay.WithSeams(p.module, filepath.Join(p.dir, "overlay"))
		if err != nil {
			return "", err
		}
		dir, args = filepath.Join(p.dir, "failpoints"), append(args, "-overlay="+changed)
	}
	args = append(args, "-o", dir+"/", "./host/cmd/davit", "./host/cmd/davit-host", "./host/rigs/storm/cmd/storm-workload")
	seen := map[string]bool{}
	for _, t := range targets {
		if !seen[t.executor] {
			seen[t.executor] = true
			args = append(args, "./executors/"+t.executor+"/cmd/davit-executor-"+t.executor)
		}
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = p.module
	cmd.Env = append(os.Environ(), gobuild.Flags()...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, text)
	}
	if err := gobuild.Wasm(filepath.Join(dir, workload+".wasm"), "./host/rigs/storm/cmd/storm-workload"); err != nil {
		return "", err
	}
	p.built[failpoints] = dir
	return dir, nil
}

// makeRootfs makes a root file system that holds only the workload, as a program
// and as a module.
func makeRootfs(dir, bin string) error {
	for _, name := range []string{"bin", "dev", "etc", "proc", "storm", "sys", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	for _, name := range []string{workload, workload + ".wasm"} {
		text, err := os.ReadFile(filepath.Join(bin, name))
		if err != nil {
			return err
		}
		if err := linux.WriteProgram(filepath.Join(dir, "bin", name), text, 0o755); err != nil {
			return err
		}
	}
	return nil
}
