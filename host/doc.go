// Package host runs OCI workloads through executor backends. It is the library
// behind the davit binary, and what programs embed:
//
//	h, err := host.Open(ctx, cfg, host.Options{})
//	...
//	defer h.Close()
//	c, err := h.Create(ctx, api.ContainerOptions{Rootfs: "/srv/rootfs", Process: ocispec.Options{Args: []string{"/bin/true"}}})
//	...
//	end, err := h.Wait(ctx, c.ID)
//
// A host owns its containers, their state and their output. Executors own nothing that
// the host could not do without for a while. [Host] is a façade over parts with one
// purpose each:
//
//   - config: what a host is configured with;
//   - ocispec: bundles and root file systems to OCI specs;
//   - internal/store: the state on disk;
//   - internal/output: the files of the workloads' output;
//   - internal/containers: containers, and what happens to them;
//   - internal/images: the images, for all backends;
//   - internal/rootfs: the root file systems of containers that are made from images;
//   - internal/backends: the backends, and the one door through which they are called;
//   - internal/supervisor: the executors' processes;
//   - api: the types that users see, and all of this over HTTP, with a client;
//   - access: what users may do by the rules of the config;
//   - diag: findings about a config;
//   - internal/cli, cmd/davit, cmd/davit-host: the command line.
//
// # Order of durability
//
// The record of a container is on disk before its backend is called, and an exit is on
// disk before the executor may forget it. Everything in between can be asked for again:
// after a restart of the host or an executor, reconcile compares the records with what
// the backend lists, goes on watching what runs, and completes what was interrupted.
//
// # Scale
//
// With 500 running containers on two cores (`make scale`, shim executor), a host that
// was killed watches all of them again 0.33 s after its start (median; p99 0.47 s). It
// lists them in 7 to 15 ms; `davit ps` takes the start of a program longer. A container
// costs the host 15 KiB of memory, no descriptor and no goroutine, and the executor
// 78 KiB, 2 descriptors and 4 goroutines; none of that grows with time. While nothing
// happens the host uses 3 ms of CPU a second for all 500 together.
package host
