package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/gobuild"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/conformance/memory"
	"github.com/davit-run/davit/shared/executor"
)

// memoryTarget is a target on the memory executor e.
func memoryTarget(e *executor.Executor) Target {
	return Target{
		Executor: e,
		Spec:     Memory,
		Patience: 20 * time.Second,
		Settings: executor.Settings{
			Config:   json.RawMessage(`{"create_delay":"2ms"}`),
			Runtimes: []executor.RuntimeSettings{{Name: "broken", Body: json.RawMessage(`{"problem":"it is broken"}`)}},
		},
		Refused: []executor.Settings{
			{Config: json.RawMessage(`{"create_delay":"soon"}`)},
			{Config: json.RawMessage(`{"create_delay":"-1s"}`)},
			{DefaultRuntime: "none"},
		},
	}
}

func TestMemory(t *testing.T) {
	system := memory.NewSystem()
	defer system.Close()
	e := system.Executor()
	target := memoryTarget(&e)
	target.Skip = map[string]string{"create-pid": "the workloads are goroutines"}
	Test(t, target)
}

func TestMemoryBinary(t *testing.T) {
	target := memoryTarget(nil)
	target.Binary = gobuild.One(t, "./shared/conformance/memory/cmd/davit-executor-memory")
	Test(t, target)
	wait.Until(t, "no process of "+target.Binary+" is left", func() bool { return len(processesOf(target.Binary)) == 0 })
}

// processesOf returns the processes that run a program.
func processesOf(program string) (pids []string) {
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, link := range links {
		if path, err := os.Readlink(link); err == nil && path == program {
			pids = append(pids, filepath.Base(filepath.Dir(link)))
		}
	}
	return pids
}
