// Package conformance is the test suite for executors. Each [Check] proves one duty
// of the contract in package executor, and says in a sentence which.
//
// An author describes the executor in a [Target] and calls [Test]:
//
//	func TestConformance(t *testing.T) {
//		e := mine.Executor()
//		conformance.Test(t, conformance.Target{
//			Binary:   build(t),                 // as a program
//			Executor: &e,                       // and directly, where that shows more
//			Spec:     conformance.OCI(rootfs),  // how to say "print this"
//			Skip:     map[string]string{"output-order": "the shim has a pipe per stream"},
//		})
//	}
//
// [Run] does the same outside of tests and returns a [Report]. `davit conformance
// PATH` uses it, and needs neither a Go toolchain nor the source of the executor.
//
// # Modes
//
// In direct mode, checks call the backend and nothing else, so a failure is the
// backend's. In connected mode, the plugin kit and the transport are in between. In
// binary mode, the executor is a process, which checks kill. A check of what the kit
// does for every executor is skipped in direct mode.
//
// A target with a program is tested as a program, since that is what users run. If it
// has the executor as well, the checks that show more in direct mode run there, too.
// They are about a Create that is cancelled or past its deadline (over a wire, a call
// outlives its caller, and the kit answers for it), about many containers at once (no
// lock of the kit protects the calls, and go test -race sees the backend), and about
// Close. A target with an executor alone is tested in the modes direct and connected,
// with all checks.
//
// # How a check works
//
// Each check has a backend of its own: new directories, a new host id, ids that no
// other check has used. It describes workloads as a [Program], from which the target
// makes specs, and communicates with them through files in a scratch directory: a
// workload runs until the check makes the file that it awaits, and marks each of its
// starts in another. Checks wait for events, each time no longer than
// Target.Patience. They remove what they have made, even when they fail.
//
// # Rationale
//
// Why a language of steps and not shell scripts? Not every executor has a shell:
// wasm has none, and the one in memory has no operating system.
//
// There are two ways to do the steps: a shell ([Shell], [OCI]), and the interpreter of
// package workload, as a program ([Command], [OCI] and [Template] with its command line)
// or within the memory executor ([Memory]).
//
// Why is a failed check more than a failed test? What fails on an author's machine is
// often read by somebody else, in a terminal or an issue. So a result has the duty,
// the reasons in sentences, and the executor's log.
//
// How is it known that the suite can fail? From its own tests: for each check there
// is a broken executor that neglects the check's duty, and fails it.
package conformance
