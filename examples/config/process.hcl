# Processes on this machine: no daemon, no shim, and with "root" ignored no root
# needed. A spec that asks for more than a plain process can have is refused, with
# the names of the fields.
backend "host" {
  executor = "process"

  config {
    # What is passed over and not refused. "usual", the default, is the isolation
    # that every container asks for: new namespaces, /proc, /dev and the like, and
    # masked paths. With "root", commands see this machine's own files, whatever
    # directory --rootfs names.
    ignore = ["usual", "root"]
  }
}

# The same with the container's root file system as the root directory, and with /proc,
# /dev and the mounts that are asked for in it.
backend "chroot" {
  executor = "process"
}
