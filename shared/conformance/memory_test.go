package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/conformance/memory"
	"github.com/davit-run/davit/shared/executor"
)

// memorySpec makes specs for the memory executor.
func memorySpec(p Program, scratch string) (json.RawMessage, error) {
	var args []string
	for _, s := range p {
		if args != nil {
			args = append(args, ";")
		}
		file := filepath.Join(scratch, s.File)
		switch s.Action {
		case Print:
			args = append(args, "print", s.Stream, s.Text)
		case Count:
			args = append(args, "count", s.Stream, strconv.Itoa(s.N))
		case Mark:
			args = append(args, "mark", file, s.Text)
		case Await:
			args = append(args, "await", file)
		case Ignore:
			args = append(args, "ignore", strconv.Itoa(int(s.Signal)))
		case Trap:
			args = append(args, "trap", strconv.Itoa(int(s.Signal)), strconv.Itoa(s.N))
		case Exit:
			args = append(args, "exit", strconv.Itoa(s.N))
		case Exec:
			args = append(args, "exec", file)
		default:
			return nil, fmt.Errorf("unknown action %q", s.Action)
		}
	}
	return json.Marshal(map[string]any{"process": map[string]any{"args": args}})
}

// memoryTarget is a target on the memory executor e.
func memoryTarget(e *executor.Executor) Target {
	return Target{
		Executor: e,
		Spec:     memorySpec,
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

// buildMemory builds davit-executor-memory.
func buildMemory(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "davit-executor-memory")
	build := exec.Command("go", "build", "-o", path, "./memory/cmd/davit-executor-memory")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

func TestMemoryBinary(t *testing.T) {
	target := memoryTarget(nil)
	target.Binary = buildMemory(t)
	Test(t, target)
}
