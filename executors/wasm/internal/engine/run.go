package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/experimental/sysfs"
	"github.com/tetratelabs/wazero/sys"
)

// Trapped is the exit code of a module that did something forbidden, such as dividing
// by zero. It is the code of a process that aborts.
const Trapped = 128 + 6

// Stdio are the streams of a module. Out and Err are no files, or the module could
// truncate them.
type Stdio struct {
	In       *os.File
	Out, Err io.Writer
}

// Run runs a program once, to its end, and returns its exit code. started is called
// before the first instruction of the module. Run returns an error of started, or one
// before it, and then nothing has run. If something else than its own exit ends the
// module, Run writes the cause to its stderr.
func (p *Program) Run(ctx context.Context, stdio Stdio, started func() error) (int, error) {
	ctx = experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(newMemory))
	if p.hasStart {
		if err := started(); err != nil {
			return 0, err
		}
	}
	module, err := p.runtime.InstantiateModule(ctx, p.compiled, p.config(stdio))
	if p.hasStart {
		if err != nil {
			return p.exitCode(stdio, err), nil
		}
	} else {
		if err != nil {
			return 0, fmt.Errorf("module %s cannot be started: %w", p.plan.Args[0], err)
		}
		if err := started(); err != nil {
			return 0, err
		}
	}
	_, err = module.ExportedFunction(startFunction).Call(ctx)
	return p.exitCode(stdio, err), nil
}

func (p *Program) config(stdio Stdio) wazero.ModuleConfig {
	config := wazero.NewModuleConfig().
		WithArgs(p.plan.Args...).
		WithStdin(stdio.In).WithStdout(stdio.Out).WithStderr(stdio.Err).
		WithSysWalltime().WithSysNanotime().WithSysNanosleep().WithOsyield(runtime.Gosched).
		WithRandSource(rand.Reader).
		WithFSConfig(wazero.NewFSConfig().(sysfs.FSConfig).WithSysFSMount(p.tree, "/")).
		WithStartFunctions() // called by Run
	for _, e := range p.plan.Env {
		name, value, _ := strings.Cut(e, "=")
		config = config.WithEnv(name, value)
	}
	return config.WithEnv("PWD", p.plan.Cwd)
}

// exitCode returns the code of a call that has ended with err. As everywhere, only
// the lowest byte counts.
func (p *Program) exitCode(stdio Stdio, err error) int {
	if err == nil {
		return 0
	}
	if exit, ok := errors.AsType[*sys.ExitError](err); ok {
		return int(exit.ExitCode() & 0xff)
	}
	fmt.Fprintf(stdio.Err, "%s: %v\n", p.plan.Args[0], err)
	return Trapped
}
