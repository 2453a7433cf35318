// Package host runs OCI workloads through executor backends. It is the library
// behind the davit binary, and what programs embed:
//
//	h, err := host.Open(ctx, cfg, host.Options{})
//	...
//	defer h.Close()
//	c, err := h.Create(ctx, host.ContainerOptions{Rootfs: "/srv/rootfs", Process: ocispec.Options{Args: []string{"/bin/true"}}})
//	...
//	end, err := h.Wait(ctx, c.ID)
//
// A host owns its containers, their state and their output; executors own
// nothing that the host could not do without for a while. The parts:
//
//   - config: what a host is configured with;
//   - ocispec: bundles and root file systems to OCI specs;
//   - internal/store: the state on disk;
//   - internal/output: the files of the workloads' output;
//   - internal/supervisor: the executors' processes;
//   - this package: containers, and what happens to them;
//   - api: the same over HTTP, and its client; cmd/davit: the program.
//
// # Order of durability
//
// The record of a container is on disk before its backend is called, and an exit
// before the executor may forget it. Everything in between can be asked for
// again: after a restart of the host or an executor, reconcile compares the
// records with what the backend lists, takes up what runs, and completes what
// was under way.
//
// # Scale
//
// With 500 running containers on two cores (`make scale`, shim executor) a host that
// was killed looks after all of them again 0.33 s after it was started (median; p99
// 0.47 s), and lists them in 7 to 15 ms, to which the start of `davit ps` adds what
// starting a program costs. A container costs the host 15 KiB and the executor 78 KiB
// of memory, 0 and 2 descriptors, 0 and 4 goroutines; none of that grows with time.
// While nothing happens the host uses 3 ms of CPU a second for all 500 together.
package host
