// Package guestfs is the file system that a WebAssembly module sees: a root
// directory with other directories and files mounted into it, as in a container,
// but without the kernel's help.
//
//	tree, err := guestfs.New([]guestfs.Mount{
//		{Source: "/srv/app", Target: "/"},
//		{Source: "/srv/data", Target: "/data", ReadOnly: true},
//	})
//	config := wazero.NewFSConfig().(sysfs.FSConfig).WithSysFSMount(tree, "/")
//
// # Rationale
//
// Why not wazero's own directories? They are not a sandbox, and say so: a
// symbolic link in one of them leads wherever it points on the host, and those
// that are read-only let a file be made or emptied by opening it for reading.
//
// Why are paths walked here, name by name? The kernel never looks up a name that
// could be a link or "..", so nothing leads out, whatever changes the directories
// meanwhile. And links and ".." cross mounts as they do in a container: what a mount
// covers cannot be reached, and an absolute link begins at the module's root. openat2
// and os.Root can do the first and not the second.
//
// Why is there one preopened directory and not one for each mount? A module that had
// the root directory beside a mount could reach, through the root, what the mount
// covers.
//
// Why are devices refused? A container's devices are guarded by its cgroup. A module
// that root runs could open any device in its directories.
package guestfs
