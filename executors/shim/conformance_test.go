package shim_test

import (
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/davit-run/davit/executors/shim"
	"github.com/davit-run/davit/host/rigs/gobuild"
	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/conformance"
	"github.com/davit-run/davit/shared/executor"
)

func TestConformance(t *testing.T) {
	runc, _ := exec.LookPath("runc")
	realtest.Need(t, runc)
	e := shim.Executor("test")
	conformance.Test(t, conformance.Target{
		Executor: &e,
		Binary:   gobuild.One(t, "./executors/shim/cmd/davit-executor-shim"),
		Spec:     conformance.OCI(realtest.Rootfs(t)),
		Refused: []executor.Settings{
			{Config: json.RawMessage(`{"namespace":"../x"}`)},
			{Config: json.RawMessage(`{"shim_dirs":["relative"]}`)},
			{DefaultRuntime: "nope"},
		},
	})
}
