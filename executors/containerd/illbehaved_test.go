package containerd

import (
	"os/exec"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
)

// TestIllBehaved runs a container on runtimes and shims that do everything wrong.
func TestIllBehaved(t *testing.T) {
	t.Parallel()
	runc, _ := exec.LookPath("runc")
	realtest.Need(t, runc)
	good := realtest.Bin(t, realtest.V16) + "/containerd-shim-runc-v2"
	daemons := []string{realtest.V16}
	if realtest.Matrix() {
		daemons = versions
	}
	for _, version := range daemons {
		d := startDaemon(t, version)
		shims := realtest.Shims(t, realtest.Bin(t, version)+"/containerd-shim-runc-v2")
		if version == realtest.V16 {
			shims = realtest.Shims(t, good)
		}
		for _, i := range append(realtest.Runtimes(t, runc), shims...) {
			t.Run(version+"/"+i.Name, func(t *testing.T) {
				t.Parallel()
				key := "path"
				if i.Shim {
					key = "shim"
				}
				f := on(t, d, runtimeBlock(t, i.Name, map[string]any{key: i.Path}))
				realtest.Misbehave(t, f.b, f.host, i.Muted(), f.workload(first("ill"), i.Name, "sleep 1000"))
			})
		}
	}
}
