// Package backend is the backend of executors whose workloads run under monitors. It
// is a driver of package lifecycle, and the executor only says what to run.
//
//	b, err := backend.Open(ctx, env, host, backend.Plain, func(ctx context.Context, w executor.Workload) (monitor.Job, error) {
//		…
//	}, backend.Hooks{})
//
// An executor embeds the Backend and adds the capabilities that it has.
//
// Each container has a directory, StateDir/containers/ID, which belongs to its
// monitor (see package monitor) except for one file. That file, output.json, says
// that the host has the exit and whether the output is complete.
package backend
