package wasm_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/davit-run/davit/executors/wasm"
	"github.com/davit-run/davit/shared/conformance"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestConformance(t *testing.T) {
	e := wasm.Executor("test")
	cache := t.TempDir() // else each check would compile the module
	if err := os.Chmod(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(map[string]string{"cache_dir": cache})
	if err != nil {
		t.Fatal(err)
	}
	conformance.Test(t, conformance.Target{
		Executor: &e,
		Binary:   program(t),
		Spec:     specOf(t.TempDir()),
		Settings: executor.Settings{Config: config},
		// A module keeps all that it writes in memory.
		OutputBytes: 2 << 20,
		Workloads:   8,
		Refused: []executor.Settings{
			{Config: json.RawMessage(`{"ignore":["host_name"]}`)},
			{Config: json.RawMessage(`{"module_dirs":["modules"]}`)},
			{Config: json.RawMessage(`{"memory_limit":"much"}`)},
			{Config: json.RawMessage(`{"memory_limit":"1k"}`)},
			{Config: json.RawMessage(`{"timeout":"0s"}`)},
			{Config: json.RawMessage(`{"cache_dir":"cache"}`)},
		},
	})
}

// specOf returns a conformance.Target.Spec with modules that are made in rootfs.
func specOf(rootfs string) func(conformance.Program, string) (json.RawMessage, error) {
	return func(p conformance.Program, scratch string) (json.RawMessage, error) {
		const dir = "/scratch"
		command := dir + "/" + p[0].File
		if p[0].Action != conformance.Exec {
			var err error
			if command, err = assemble(rootfs, p, dir); err != nil {
				return nil, err
			}
		}
		return json.Marshal(specs.Spec{
			Version: specs.Version,
			Process: &specs.Process{Args: []string{command}, Cwd: "/"},
			Root:    &specs.Root{Path: rootfs, Readonly: true},
			Mounts:  []specs.Mount{{Destination: dir, Type: "bind", Source: scratch, Options: []string{"rbind", "rw"}}},
		})
	}
}
