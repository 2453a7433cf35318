# Processes on this machine, with no daemon, no shim and no root needed. A spec
# that asks for more than a plain process can have is refused, field by field.
backend "host" {
  executor = "process"

  config {
    # Passed over instead: "usual" is the isolation that every container asks for
    # (new namespaces, /proc, /dev and the like, masked paths). That is also the
    # default. With "root", commands run on this machine's own files, whatever
    # --rootfs names; without root privileges there is no other way.
    ignore = ["usual", "root"]
  }
}

# The same in the root file system that a container names, which takes root.
backend "chroot" {
  executor = "process"
}
