package process_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/davit-run/davit/executors/process"
	"github.com/davit-run/davit/host/rigs/gobuild"
	"github.com/davit-run/davit/shared/conformance"
	"github.com/davit-run/davit/shared/executor"
)

func TestConformance(t *testing.T) {
	e := process.Executor("test")
	binary := ""
	if os.Geteuid() != nobody { // who cannot build one
		binary = gobuild.One(t, "./executors/process/cmd/davit-executor-process")
	}
	conformance.Test(t, conformance.Target{
		Executor: &e,
		Binary:   binary,
		Spec:     conformance.Shell,
		Refused: []executor.Settings{
			{Config: json.RawMessage(`{"ignore":["mount"]}`)},
			{Config: json.RawMessage(`{"cgroup_parent":"davit"}`)},
		},
	})
}
