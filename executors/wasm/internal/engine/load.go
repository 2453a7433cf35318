package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/davit-run/davit/executors/wasm/internal/guestfs"
	"github.com/davit-run/davit/shared/executor"
	"github.com/tetratelabs/wazero"
	wasi "github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// startFunction is the function with which a program begins.
const startFunction = "_start"

// Program is a module that is ready to run.
type Program struct {
	plan     Plan
	tree     *guestfs.Tree
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	// hasStart says that code of the module runs when it is instantiated.
	hasStart bool
}

// Load finds, compiles and checks the module of a plan. The error is
// [executor.CommandNotFound] or [executor.CommandNotExecutable] where the module
// is to blame, and [executor.Invalid] where a mount is.
func Load(ctx context.Context, p Plan) (*Program, error) {
	tree, err := guestfs.New(p.Mounts)
	if err != nil {
		return nil, executor.Errorf(executor.Invalid, "file system of the module: %w", err)
	}
	program := &Program{plan: p, tree: tree}
	if err := program.load(ctx); err != nil {
		return nil, errors.Join(err, program.Close(ctx))
	}
	return program, nil
}

// Close frees the resources of a program that was not run.
func (p *Program) Close(ctx context.Context) error {
	err := p.tree.Close()
	if p.runtime != nil {
		err = errors.Join(err, p.runtime.Close(ctx))
	}
	return err
}

func (p *Program) load(ctx context.Context) error {
	if st, e := p.tree.Stat(p.plan.Cwd); e != 0 || !st.Mode.IsDir() {
		return executor.Errorf(executor.Invalid, "working directory %q is no directory in the root file system", p.plan.Cwd)
	}
	module, path, err := find(p.tree, p.plan)
	if err != nil {
		return err
	}
	fail := func(err error) error {
		return executor.Errorf(executor.CommandNotExecutable, "module %s cannot be run: %w", path, err)
	}
	if err := checkVersion(module); err != nil {
		return fail(err)
	}
	if err := cached(p.plan.Cache, module, func(cache wazero.CompilationCache) error { return p.compile(ctx, module, cache) }); err != nil {
		return fail(err)
	}
	if err := p.check(); err != nil {
		return fail(err)
	}
	p.hasStart = hasStartSection(module)
	return nil
}

func (p *Program) compile(ctx context.Context, module []byte, cache wazero.CompilationCache) (err error) {
	limit := p.plan.MemoryLimit
	if limit <= 0 || limit > maxMemory {
		limit = maxMemory
	}
	if p.runtime != nil { // of a try with a cache that did not work
		_ = p.runtime.Close(ctx)
	}
	p.runtime = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().
		WithCompilationCache(cache).
		WithDebugInfoEnabled(false).
		WithMemoryLimitPages(uint32(limit/pageSize)))
	if _, err := wasi.Instantiate(ctx, p.runtime); err != nil {
		return err
	}
	p.compiled, err = p.runtime.CompileModule(ctx, module)
	return err
}

// check returns an error for a module that cannot be instantiated, or is not a
// program.
func (p *Program) check() error {
	offered := p.runtime.Module(wasi.ModuleName).ExportedFunctionDefinitions()
	var missing []string
	for _, f := range p.compiled.ImportedFunctions() {
		module, name, _ := f.Import()
		have, ok := offered[name]
		switch {
		case module != wasi.ModuleName || !ok:
			missing = append(missing, module+"."+name)
		case !slices.Equal(have.ParamTypes(), f.ParamTypes()) || !slices.Equal(have.ResultTypes(), f.ResultTypes()):
			missing = append(missing, module+"."+name+" (of other types)")
		}
	}
	if len(missing) > 0 {
		const most = 5
		names := strings.Join(missing[:min(most, len(missing))], ", ")
		if len(missing) > most {
			names += fmt.Sprintf(" and %d more", len(missing)-most)
		}
		return fmt.Errorf("it imports functions that WASI preview 1 does not have: %s", names)
	}
	if len(p.compiled.ImportedMemories()) > 0 {
		return errors.New("it imports its memory, which a WASI program brings along")
	}
	start, ok := p.compiled.ExportedFunctions()[startFunction]
	if !ok {
		return fmt.Errorf("it exports no function %s, so it is a library and not a program", startFunction)
	}
	if len(start.ParamTypes())+len(start.ResultTypes()) > 0 {
		return fmt.Errorf("its function %s takes or gives values, so it is not a WASI program", startFunction)
	}
	return nil
}

// checkVersion returns an error for a binary that is newer than this engine.
func checkVersion(module []byte) error {
	var head [8]byte
	copy(head[:], module)
	switch version, layer := binary.LittleEndian.Uint16(head[4:]), binary.LittleEndian.Uint16(head[6:]); {
	case layer == 1:
		return errors.New("it is a component (WASI preview 2); build it for WASI preview 1, such as wasm32-wasip1")
	case len(module) >= len(head) && (version != 1 || layer != 0):
		return fmt.Errorf("its binary format is version %d, only version 1 is known", version)
	}
	return nil
}

// hasStartSection reports whether a valid module has a function that runs when it
// is instantiated.
func hasStartSection(module []byte) bool {
	const startSection = 8
	r := bytes.NewReader(module[8:])
	for {
		id, err := r.ReadByte()
		if err != nil {
			return false
		}
		size, err := binary.ReadUvarint(r) // unsigned LEB128
		if err != nil {
			return false
		}
		if id == startSection {
			return true
		}
		if _, err := r.Seek(int64(size), 1); err != nil {
			return false
		}
	}
}
