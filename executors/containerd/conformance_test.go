package containerd

import (
	"encoding/json"
	"testing"

	"github.com/davit-run/davit/executors/realtest"
	"github.com/davit-run/davit/shared/conformance"
	"github.com/davit-run/davit/shared/executor"
)

func TestConformance(t *testing.T) {
	for _, version := range []string{realtest.V16, realtest.V24} {
		t.Run(version, func(t *testing.T) {
			t.Parallel() // it mostly waits
			d := startDaemon(t, version)
			config, err := json.Marshal(map[string]string{"address": d.Address})
			if err != nil {
				t.Fatal(err)
			}
			e := Executor()
			conformance.Test(t, conformance.Target{
				Executor: &e,
				Spec:     conformance.OCI(realtest.Rootfs(t)),
				Settings: executor.Settings{Config: config},
				Refused: []executor.Settings{
					{Config: json.RawMessage(`{"address":"relative.sock"}`)},
					{Config: json.RawMessage(`{"connect_timeout":"soon"}`)},
					{DefaultRuntime: "nope"},
				},
			})
		})
	}
}
