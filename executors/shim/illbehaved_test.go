package shim_test

import (
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
)

// TestIllBehaved runs a container on runtimes and shims that do everything wrong.
func TestIllBehaved(t *testing.T) {
	runc, _ := exec.LookPath("runc")
	realtest.Need(t, runc)
	const good = "/usr/bin/containerd-shim-runc-v2"
	realtest.Need(t, good)
	run := func(name string, i realtest.IllBehaved, body map[string]string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			f := newFixture(t, nil, executor.RuntimeSettings{Name: i.Name, Body: text})
			realtest.Misbehave(t, f.b, f.host, i, f.workload(first("ill"), i.Name, "sleep 1000"))
		})
	}
	for _, i := range realtest.Runtimes(t, runc) {
		run(i.Name, i, map[string]string{"path": i.Path})
		if realtest.Matrix() {
			run(i.Name+"-below-another-shim", i.Muted(), map[string]string{"path": i.Path, "shim": good})
		}
	}
	for _, i := range realtest.Shims(t, good) {
		run(i.Name, i, map[string]string{"shim": i.Path})
	}
}
