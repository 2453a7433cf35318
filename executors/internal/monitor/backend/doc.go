// Package backend is the backend of executors whose workloads run under monitors:
// it does all that the contract asks for, and leaves to the executor to say what
// to run.
//
//	b, err := backend.Open(ctx, env, host, func(ctx context.Context, w executor.Workload) (monitor.Job, error) {
//		…
//	})
//
// An executor embeds the Backend and adds the upgrades that it has.
//
// Each container has a directory, StateDir/containers/ID, which is its monitor's
// (see package monitor) but for one file, output.json: it says that the host has
// the exit and whether the output is complete.
package backend
