// Package conformance is the suite by which the author of an executor knows that
// it is right. Each [Check] proves one duty of the contract in package executor,
// and says in a sentence which.
//
// An author describes the executor in a [Target] and calls [Test]:
//
//	func TestConformance(t *testing.T) {
//		e := mine.Executor()
//		conformance.Test(t, conformance.Target{
//			Executor: &e,                       // direct and connected
//			Binary:   build(t),                 // as a program
//			Spec:     conformance.OCI(rootfs),  // how to say "print this"
//			Skip:     map[string]string{"output-order": "the shim has a pipe per stream"},
//		})
//	}
//
// [Run] does the same outside of tests and gives a [Report]. `davit conformance
// PATH` is made of it: it needs no Go toolchain and no source of the executor.
//
// # Modes
//
// Directly, checks call the backend and nothing else, so a failure is the
// backend's. Connected, the plugin kit and the transport are in between. As a
// binary, the executor is a process that checks kill. A check of what the kit
// does for every executor is skipped in direct mode.
//
// # How a check works
//
// Each check has a backend of its own: new directories, a new host id, ids that
// no other check has used. It asks for workloads as a [Program], which the
// target turns into specs, and talks with them through files in a scratch
// directory: a workload runs until the check makes the file that it awaits, and
// marks each of its starts in another. Checks wait for events, each time no
// longer than Target.Patience, and remove what they have made also when they
// fail.
//
// # Rationale
//
// Why a language of steps and not shell scripts? Not every executor has a shell:
// wasm has none, and the one in memory has no operating system.
//
// There are three ways to do the steps: a shell ([Shell], [OCI]), a program made of
// package workload ([Command], [OCI] and [Template] with its command line), and the
// language of the memory executor ([Memory]), whose words are the same.
//
// Why is a failed check more than a failed test? What fails on an author's
// machine is often read by somebody else, in a terminal or an issue. So a result
// holds the duty, the reasons in sentences, and the executor's log.
//
// Who says that the suite can fail? Its own tests do: for each check there is a
// broken executor that neglects the check's duty, and fails it.
package conformance
