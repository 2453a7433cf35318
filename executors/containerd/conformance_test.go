package containerd

import (
	"encoding/json"
	"testing"

	"github.com/davit-run/davit/host/rigs/gobuild"
	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/conformance"
	"github.com/davit-run/davit/shared/executor"
)

// TestConformance runs all checks on the program, against each version of containerd
// with another generation of its shims, or with all of them (make matrix). Checks
// that show more of a backend without the kit run directly on the newest version.
func TestConformance(t *testing.T) {
	program := gobuild.One(t, "./executors/containerd/cmd/davit-executor-containerd")
	everyDaemon(t, func(t *testing.T, version string) {
		d := withImage(t, version, "davit")
		config, err := json.Marshal(map[string]string{"address": d.Address})
		if err != nil {
			t.Fatal(err)
		}
		for _, runtime := range runtimesOn(version) {
			t.Run(runtime, func(t *testing.T) {
				target := conformance.Target{
					Binary:   program,
					Spec:     conformance.OCI(realtest.Rootfs(t)),
					Settings: executor.Settings{Config: config},
					Runtime:  runtime,
					Image:    testImage,
					Refused: []executor.Settings{
						{Config: json.RawMessage(`{"address":"relative.sock"}`)},
						{Config: json.RawMessage(`{"connect_timeout":"soon"}`)},
						{DefaultRuntime: "nope"},
					},
				}
				if version == realtest.V24 {
					e := Executor("test")
					target.Executor = &e
				}
				conformance.Test(t, target)
			})
		}
	})
}
