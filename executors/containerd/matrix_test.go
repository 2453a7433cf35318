package containerd

import (
	"testing"

	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/host/rigs/realtest"
)

// versions are the daemons of the tests, from the oldest that is supported to the
// newest.
var versions = []string{realtest.V16, realtest.V17, realtest.V24}

// served lists the stock runtimes that a version of containerd can run here.
var served = map[string][]string{
	realtest.V16: {"runc", runtimes.ShimRuncV2, runtimes.ShimRuncV1, runtimes.ShimLinuxV1},
	realtest.V17: {"runc", runtimes.ShimRuncV2, runtimes.ShimRuncV1, runtimes.ShimLinuxV1},
	realtest.V24: {"runc", runtimes.ShimRuncV2, runtimes.ShimRuncV1},
}

// chosen are the runtimes of a quick run: those of each daemon, and of each
// generation of shims. The others are for `make matrix`.
var chosen = map[string][]string{
	realtest.V16: {runtimes.ShimLinuxV1},
	realtest.V17: {runtimes.ShimRuncV1},
	realtest.V24: {"runc"},
}

// runtimesOn returns the runtimes to test on a version of containerd.
func runtimesOn(version string) []string {
	if realtest.Matrix() {
		return served[version]
	}
	return chosen[version]
}

// startDaemon starts a containerd that finds all shims it can work with.
func startDaemon(t *testing.T, version string) *realtest.Daemon {
	t.Helper()
	path := []string{realtest.Bin(t, version)}
	if version == realtest.V24 {
		path = append(path, realtest.Bin(t, realtest.V17))
	}
	return realtest.Start(t, version, path...)
}

// everyDaemon runs a test against each version of containerd.
func everyDaemon(t *testing.T, test func(t *testing.T, version string)) {
	t.Parallel() // most of the time goes into waiting for a daemon
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			test(t, version)
		})
	}
}

// TestRuntimes runs what is to hold with each runtime on each version of containerd.
func TestRuntimes(t *testing.T) {
	everyDaemon(t, func(t *testing.T, version string) {
		d := startDaemon(t, version)
		everyRuntime := func(name string, test func(t *testing.T, f *fixture, runtime string)) {
			for _, rt := range runtimesOn(version) {
				t.Run(rt+"/"+name, func(t *testing.T) { test(t, on(t, d), rt) })
			}
		}
		everyRuntime("create-is-idempotent", testCreateIsIdempotent)
		everyRuntime("newer-attempt-replaces-ended-one", testNewerAttemptReplacesEndedOne)
		everyRuntime("failed-create-leaves-nothing", testFailedCreateLeavesNothing)
		everyRuntime("failure-after-create-leaves-nothing", testFailureAfterCreateLeavesNothing)
		everyRuntime("commands-that-cannot-be-executed", testCommandsThatCannotBeExecuted)
		everyRuntime("command-that-hooks-may-make", testCommandThatHooksMayMake)
		everyRuntime("force", testForce)
		everyRuntime("workload-cannot-erase-its-exit", testWorkloadCannotEraseItsExit)
		everyRuntime("pause", testPause)
		everyRuntime("exec-leaves-others-behind", testExecLeavesOthersBehind)
		everyRuntime("executor-restart", testExecutorRestart)
		everyRuntime("shim-killed", testShimKilled)
		everyRuntime("exit-of-exec-is-not-taken", testExitOfExecIsNotTaken)
		everyRuntime("run", testRun)
		everyRuntime("death-by-signal", testDeathBySignal)
		everyRuntime("oom", testOOM)
		everyRuntime("merged-output", testMergedOutput)
		everyRuntime("null-output", testNullOutput)
	})
}
