package wasm_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/davit-run/davit/shared/executor"
	"github.com/tetratelabs/wazero"
	wasi "github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// BenchmarkStart measures a module from its start to its end with a warm cache:
// through the executor in a process of its own, and for comparison with wazero alone
// in this process.
func BenchmarkStart(b *testing.B) {
	compiled, err := os.ReadFile(workloadModule(b))
	if err != nil {
		b.Fatal(err)
	}
	for name, module := range map[string][]byte{"nop": nop, "go": compiled} {
		b.Run(fmt.Sprintf("module=%s/executor", name), func(b *testing.B) { benchmarkExecutor(b, module) })
		b.Run(fmt.Sprintf("module=%s/wazero", name), func(b *testing.B) { benchmarkWazero(b, module) })
	}
}

func benchmarkExecutor(b *testing.B, module []byte) {
	s := newSite(b, `{}`)
	s.write("root/bin/m.wasm", module)
	s.run("m")
	ids := 0
	for b.Loop() {
		ids++
		w := s.workload(fmt.Sprintf("c%d", ids), "m")
		if _, err := s.backend.Create(context.Background(), w); err != nil {
			b.Fatal(err)
		}
		s.wait()
		b.StopTimer()
		if err := s.backend.Delete(context.Background(), executor.Ref{ID: w.Ref.ID, Attempt: 1}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func benchmarkWazero(b *testing.B, module []byte) {
	ctx := context.Background()
	dir := b.TempDir()
	for b.Loop() {
		cache, err := wazero.NewCompilationCacheWithDir(dir)
		if err != nil {
			b.Fatal(err)
		}
		r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCompilationCache(cache).WithDebugInfoEnabled(false))
		wasi.MustInstantiate(ctx, r)
		if _, err := r.InstantiateWithConfig(ctx, module, wazero.NewModuleConfig().WithArgs("m")); err != nil && err.Error() != "module closed with exit_code(0)" {
			b.Fatal(err)
		}
		if err := r.Close(ctx); err != nil {
			b.Fatal(err)
		}
		if err := cache.Close(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
