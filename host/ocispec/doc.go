// Package ocispec makes the OCI runtime spec of a container: the JSON that
// executor.Workload.Spec carries.
//
// [FromBundle] reads it from a bundle's config.json. [FromRootfs] makes one for a root
// file system. Both then apply [Options], which the flags of `davit run` set. The Parse
// functions parse the values of such flags.
//
// Errors are executor.Invalid and say what is wrong, where, and what to do. The package
// reads files of the machine that it runs on, and so belongs in the process that will
// start the container.
//
// # What is left to others
//
// No cgroup path is set: each executor has its own place for cgroups. A bundle
// that names one keeps it, and the executor decides. Swap is not limited, since a
// kernel without swap accounting refuses such a spec. Seccomp profiles are put into the
// finished spec, see [Options].Seccomp.
//
// # What programs find
//
// A container from a root file system finds what one of docker's finds, so that images
// which run there run here. No_new_privs is off. Programs that are not root may listen
// on every port and send pings, since the container's network is its own. It may open
// 65536 files, and raise that to 524288, or to what the host itself may open. Root has
// its groups of the root file system. HOSTNAME is set, and the OOM score is 0 whatever
// the host's is.
//
// # Rationale
//
// Why is a config.json edited as a JSON document, and not as a Go struct? A struct drops
// what it does not know. A bundle may use a field of a newer spec than this program was
// built with, and a security setting that silently disappears is worse than an error.
//
// Why are keys refused that differ from a spec's field only in case, or occur twice?
// Runtimes written in Go take "Root" for "root" and the last of two; others do not. What
// was checked here would not be what runs.
//
// Why a default spec of its own, and not containerd's oci package? That package would be
// the host's only dependency on a backend, and add 1.2 MB and 0.6 ms to every start of
// the command line. Nearly each of its values would have to be changed: it declares the
// newest spec version, which old runtimes refuse, names a cgroup path, hides the rootfs's
// own /run, and has no cgroup mount. The rest is a page of constants.
//
// Why version 1.0.2? It has everything that the default spec uses, and crun 1.8 refuses
// versions that it does not know.
//
// Why may programs get new privileges? sudo, su and ping do not work otherwise, and
// images rely on them. What an intruder could do with it is bounded by the capabilities
// and by the seccomp profile. A config can decide otherwise for a whole host.
//
// Why 65536 open files? With 1024, servers warn or fail under load. With a million, old
// programs that close all descriptors one by one take seconds to start.
//
// Why is "/" refused as a rootfs? It nearly always comes from an empty variable, and the
// container would write to the host's own files. Runtimes that pivot into the rootfs
// cannot use it either. If you mean it, bind mount it elsewhere.
package ocispec
