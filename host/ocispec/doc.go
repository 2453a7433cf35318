// Package ocispec makes the OCI runtime spec of a container: the JSON that
// executor.Workload.Spec carries.
//
// [FromBundle] takes it from a bundle's config.json, [FromRootfs] makes one for a
// root file system. Both then apply the same [Options], which are what the flags
// of `davit run` say. The Parse functions read the values of such flags.
//
// Errors are executor.Invalid and say what is wrong, where, and what to do.
// Everything here looks at files of the machine that it runs on, and so belongs
// in the process that will start the container.
//
// # What is left to others
//
// No cgroup path is set: each executor has its own place for cgroups. A bundle
// that names one keeps it, and the executor decides. Swap is not limited, since a
// kernel without swap accounting refuses such a spec. There is no seccomp
// profile, since a runc that was built without seccomp refuses that.
//
// # Rationale
//
// Why is a config.json edited as a JSON document, and not as a Go struct? A
// struct drops what it does not know. A bundle may use a field of a newer spec
// than this program was built with, and a security setting that is silently lost
// is worse than an error.
//
// Why are keys refused that differ from a spec's field in case alone, or stand
// twice? Runtimes written in Go take "Root" for "root" and the last of two,
// others do not. What was checked here would not be what runs.
//
// Why an own default spec, and not containerd's oci package? It would be the
// host's only dependency on a backend, adds 1.2 MB and 0.6 ms to every start of
// the command line, and nearly each of its values would have to be changed: it
// declares the newest spec version, which old runtimes refuse, names a cgroup
// path, hides the rootfs's own /run, and has no cgroup mount. What remains is a
// page of constants.
//
// Why version 1.0.2? It has all that the default spec uses, and crun 1.8 refuses
// versions that it does not know.
//
// Why no new privileges? A container that has no set-uid program does not notice,
// and in one that has, such a program is the usual way up. `runc spec` and ctr
// decide alike. A bundle can decide otherwise.
//
// Why is "/" refused as a rootfs? It is nearly always a variable that was empty,
// and the container would write to the host's own files. Runtimes that pivot
// into the rootfs cannot use it either. Who means it can bind mount it elsewhere.
package ocispec
