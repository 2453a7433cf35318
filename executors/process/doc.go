// Package process is the executor that runs the process of an OCI spec on this
// machine. The process has only the isolation that the spec asks for and that a plain
// process can have. It needs no daemon, no shim, no namespaces, and for most of it no
// root.
//
// Each process has a monitor that outlives executor and host, and keeps its exit:
// see package monitor. What the process has started ends with it. Its output goes through
// the monitor, so /dev/stdout is a pipe that it can open again, and never the log itself.
//
// A further process of a container has the root, the mounts, the cgroups and the seccomp
// filter of the first one, and a monitor of its own.
//
// # What of a spec is honoured
//
//	process     args, env, cwd, terminal, user, umask, rlimits, capabilities (the
//	            bounding set), noNewPrivileges, oomScoreAdj
//	root.path   by chroot, and not at all if it is "/"
//	linux       resources for memory, swap, pids and cpu, seccomp, and cgroupsPath as
//	            the parent of the process's own cgroups
//
// A process whose root file system is not this machine's gets, if the executor has
// CAP_SYS_ADMIN, a mount namespace and a host name of its own. Then these are honoured
// too:
//
//	root.readonly, hostname
//	mounts      bind, proc, sysfs, tmpfs, devpts and mqueue
//	linux       maskedPaths and readonlyPaths
//
// HOME is set from the root file system's /etc/passwd, and a working directory that does
// not exist there is made.
//
// And its network namespace, where the spec has the path of one, or its user has asked for
// network none; then linux.sysctl is honoured for net.* too. Of the files that the host makes for
// /etc, a process on this machine's own files has hosts and resolv.conf in a network, in a mount
// namespace, where the machine has such files. A network namespace that nobody has asked for, as
// every container's spec has one, is passed over, and the process is in the machine's.
//
// All other fields of a spec are refused by name, even those that this program does
// not know. A backend's config can say what to ignore instead:
//
//	config {
//	  ignore = ["usual", "hostname", "hooks"]
//	}
//
// The word "usual", the default, stands for the isolation that every container
// asks for: new namespaces and their sysctls, no devices, and, where they are not
// honoured, the kernel's file systems (/proc, /dev, …), masked paths below them, the
// files that the host makes for /etc, and a host name that is the container's id.
//
// # Without root
//
// Without root there is no chroot, no other user, no network and no cgroup, so such fields are
// refused. A seccomp filter there implies no_new_privs. User and group 0 mean the executor's own user, since specs cannot
// otherwise leave the user open. Capabilities are a bound that is kept anyway. To run
// anything that names a root file system, "root" has to be ignored; it then runs on
// this machine's own files.
//
// # Rationale
//
// Why is "usual" not a list of fields? A field's value matters: a bind mount and
// /proc are both in "mounts". Every container asks for /proc, whatever its user
// wants. A bind mount that is silently missing loses data.
//
// Why chroot by default? The same `davit run --rootfs DIR CMD` works on every
// backend, and finds the programs of DIR. A chroot is no isolation: a process that is
// root leaves it. The mounts are there because programs need them. Without /proc nothing
// can open /dev/stdout.
//
// Why no other namespaces? A process with pids or users of its own is a container, and the
// other executors run those. A network costs nothing but to enter it, and what a container has
// of it, addresses, names and published ports, the host gives.
//
// Why is a working directory not made on this machine's own files? There a wrong path is
// more likely a mistake.
//
// Why is there always a cgroup where there can be one, and in every hierarchy? It shows
// kills for want of memory, and what is left of a workload whose monitor was killed. And
// in a hierarchy where a workload had none, it would be in its executor's: what froze or
// killed the executor's would take the workload too.
package process
