// Package process is the executor that runs the process of an OCI spec on this
// machine, with no isolation but what the spec asks for and a plain process can
// have. It needs no daemon, no shim, no namespaces, and for most of it no root.
//
// Each process has a monitor that outlives executor and host, and keeps its exit:
// see package monitor. What the process has started ends with it.
//
// # What of a spec is honoured
//
//	process     args, env, cwd, terminal, user, umask, rlimits, capabilities (the
//	            bounding set), noNewPrivileges, oomScoreAdj
//	root.path   by chroot, and not at all if it is "/"
//	linux       resources for memory, swap, pids and cpu, and cgroupsPath as the
//	            parent of the process's own cgroup
//
// Whatever else a spec holds is refused by its name, also what this program does
// not know. A backend's config can say what to pass over instead:
//
//	config {
//	  ignore = ["usual", "hostname", "linux.seccomp"]
//	}
//
// The word "usual", the default, stands for the isolation that every container
// asks for: new namespaces, the kernel's file systems (/proc, /dev, …), masked
// paths below them, no devices, and a host name that is the container's id.
//
// # Without root
//
// There is no chroot, no other user and no cgroup then, so such fields are
// refused. User and group 0 mean the executor's own user, since specs have no
// other way to ask for nobody in particular, and capabilities are a bound that
// holds anyway. To run anything that names a root file system, "root" has to be
// ignored; it then runs on this machine's own files.
//
// # Rationale
//
// Why is "usual" not a list of fields? A field's value matters: a bind mount and
// /proc are both in "mounts". That every container asks for /proc says nothing
// about what its user wants; a bind mount that is silently not there loses data.
//
// Why chroot by default? The same `davit run --rootfs DIR CMD` works on every
// backend, and finds the programs of DIR. It is no isolation, and /proc and /dev
// are empty in it.
//
// Why always a cgroup where there can be one? It tells of kills for want of
// memory, and finds what is left of a workload whose monitor was killed. It costs
// a tenth of a millisecond.
package process
