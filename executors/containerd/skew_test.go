package containerd

import (
	"strings"
	"testing"

	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
)

// TestSkewTable checks what was seen with the shims and daemons of 1.6.20, 1.7.35,
// 2.2.1, 2.3.7 (shim alone) and 2.4.2.
func TestSkewTable(t *testing.T) {
	const v1, v2 = "containerd-shim-runc-v1", "containerd-shim-runc-v2"
	for _, tt := range []struct {
		binary, shim string
		works        map[string]bool // by daemon
	}{
		{v2, "1.6.20~ds1", map[string]bool{"1.6.20~ds1": true, "1.7.35": true, "2.2.1": true, "2.4.2": false}},
		{v1, "1.6.20~ds1", map[string]bool{"1.6.20~ds1": true, "1.7.35": true, "2.2.1": true, "2.4.2": true}},
		{v2, "1.7.35", map[string]bool{"1.6.20~ds1": true, "1.7.35": true, "2.2.1": true, "2.4.2": true}},
		{v1, "1.7.35", map[string]bool{"1.6.20~ds1": true, "1.7.35": true, "2.2.1": true, "2.4.2": true}},
		{v2, "2.2.1", map[string]bool{"1.6.20~ds1": false, "1.7.35": false, "2.2.1": true, "2.4.2": true}},
		{v2, "2.3.7", map[string]bool{"1.6.20~ds1": false, "1.7.35": false, "2.2.1": false, "2.4.2": true}},
		{v2, "2.4.2+unknown", map[string]bool{"1.6.20~ds1": false, "1.7.35": false, "2.2.1": false, "2.4.2": true}},
		{v2, "", map[string]bool{"1.6.20~ds1": true, "2.4.2": true}},
		{v2, "2.4.2", map[string]bool{"unknown": true, "": true}},
	} {
		for daemon, works := range tt.works {
			got := skew("/opt/bin/"+tt.binary, tt.shim, daemon)
			if (got == "") != works {
				t.Errorf("%s %s on %s: got %q, want it to work: %t", tt.binary, tt.shim, daemon, got, works)
			}
			if got != "" && !(strings.Contains(got, tt.shim) && strings.Contains(got, daemon)) {
				t.Errorf("%s %s on %s: %q does not name both versions", tt.binary, tt.shim, daemon, got)
			}
		}
	}
}

// TestSkew runs, or is refused, with real shims on real daemons.
func TestSkew(t *testing.T) {
	shims := map[string]func() string{
		"1.6":    func() string { return realtest.Bin(t, realtest.V16) },
		"1.7.35": func() string { return realtest.Bin(t, realtest.V17) },
		"2.3.7":  func() string { return realtest.ShimBin(t, "2.3.7") },
		"2.4.2":  func() string { return realtest.Bin(t, realtest.V24) },
	}
	runtimesOf := map[string][]string{
		"1.6": {runtimes.ShimRuncV2, runtimes.ShimRuncV1, runtimes.ShimLinuxV1}, "1.7.35": {runtimes.ShimRuncV2, runtimes.ShimRuncV1, runtimes.ShimLinuxV1},
		"2.3.7": {runtimes.ShimRuncV2}, "2.4.2": {runtimes.ShimRuncV2},
	}
	refused := map[string]string{ // by daemon, shim and runtime
		"1.6 2.3.7 " + runtimes.ShimRuncV2:     "upgrade containerd to 2.3",
		"1.6 2.4.2 " + runtimes.ShimRuncV2:     "upgrade containerd to 2.3",
		"1.7.35 2.3.7 " + runtimes.ShimRuncV2:  "upgrade containerd to 2.3",
		"1.7.35 2.4.2 " + runtimes.ShimRuncV2:  "upgrade containerd to 2.3",
		"2.4.2 1.6 " + runtimes.ShimRuncV2:     "came with this containerd",
		"2.4.2 1.6 " + runtimes.ShimLinuxV1:    "use io.containerd.runc.v2",
		"2.4.2 1.7.35 " + runtimes.ShimLinuxV1: "use io.containerd.runc.v2",
	}
	// A quick run tests one shim with each daemon: one that is too new, one that
	// runs, and one of which one generation runs and another does not.
	pairs := map[string]string{realtest.V16: "2.3.7", realtest.V17: "1.6", realtest.V24: "1.6"}
	everyDaemon(t, func(t *testing.T, daemon string) {
		for shim, dir := range shims {
			if pairs[daemon] != shim && !realtest.Matrix() {
				continue
			}
			t.Run("shim-"+shim, func(t *testing.T) {
				f := on(t, realtest.Start(t, daemon, dir()))
				for _, rt := range runtimesOf[shim] {
					want := refused[daemon+" "+shim+" "+rt]
					_, err := f.b.ResolveRuntime(t.Context(), rt)
					if want != "" {
						if executor.CodeOf(err) != executor.FailedPrecondition || !strings.Contains(err.Error(), want) {
							t.Errorf("%s: got %v, want a refusal with %q", rt, err, want)
						}
						f.createRefused(rt)
						continue
					}
					if err != nil {
						t.Errorf("%s: %v", rt, err)
						continue
					}
					f.run(first(id(rt)), rt, "exit 3")
					if exit, out := f.host.WaitReleased(t, first(id(rt))); *exit.Code != 3 || out != executor.Complete {
						t.Errorf("%s: got %+v, %s", rt, exit, out)
					}
				}
			})
		}
	})
}

// createRefused makes sure that Create, too, refuses a runtime, before anything
// is made, when the runtime was resolved elsewhere.
func (f *fixture) createRefused(runtime string) {
	f.t.Helper()
	r, err := f.b.Table.Resolve(runtime)
	if err != nil {
		f.t.Fatal(err)
	}
	resolved, err := r.Encode()
	if err != nil {
		f.t.Fatal(err)
	}
	ref := first("refused")
	_, err = f.b.Create(f.t.Context(), executor.Workload{
		Ref:     ref,
		Spec:    realtest.Spec(f.t, f.rootfs, nil, "/bin/true"),
		Runtime: executor.Runtime{Name: runtime, Resolved: resolved},
		Stdio:   executor.Stdio{Stdout: f.streams.File(ref, "out")},
	})
	if executor.CodeOf(err) != executor.FailedPrecondition {
		f.t.Errorf("create with %s: got %v", runtime, err)
	}
}
