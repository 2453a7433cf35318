package wasm_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/davit-run/davit/executors/wasm"
	"github.com/davit-run/davit/shared/conformance"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestConformance(t *testing.T) {
	e := wasm.Executor()
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
		Binary:   binary(t),
		Spec:     specOf(filepath.Dir(workloadModule(t))),
		Settings: executor.Settings{Config: config},
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

// specOf gives a conformance.Target.Spec with the workload module in rootfs.
func specOf(rootfs string) func(conformance.Program, string) (json.RawMessage, error) {
	return func(p conformance.Program, scratch string) (json.RawMessage, error) {
		const dir = "/scratch"
		args := []string{"workload"}
		for _, s := range p {
			file, n := dir+"/"+s.File, strconv.Itoa(s.N)
			args = append(args, string(s.Action))
			switch s.Action {
			case conformance.Print:
				args = append(args, s.Stream, s.Text)
			case conformance.Count:
				args = append(args, s.Stream, n)
			case conformance.Mark:
				args = append(args, file, s.Text)
			case conformance.Await:
				args = append(args, file)
			case conformance.Exit:
				args = append(args, n)
			case conformance.Exec:
				args = []string{file}
			default:
				return nil, executor.Errorf(executor.Unsupported, "a module cannot handle signals")
			}
		}
		return json.Marshal(specs.Spec{
			Version: specs.Version,
			Process: &specs.Process{Args: args, Cwd: "/"},
			Root:    &specs.Root{Path: rootfs, Readonly: true},
			Mounts:  []specs.Mount{{Destination: dir, Type: "bind", Source: scratch, Options: []string{"rbind", "rw"}}},
		})
	}
}
