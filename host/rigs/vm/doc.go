// Package vm tests davit on a machine that systemd runs, with cgroup v2 and with v1, as
// most machines are that davit is installed on and few are that it is built on. The
// tests run within a virtual machine; elsewhere they are skipped.
//
//	make vm             # both
//	make vm VM=v2
//
// The script run makes a Debian with systemd, a root file system on a disk, and a second
// disk with davit, the tests and what they need. It boots Debian's kernel and initrd in
// qemu. A unit there runs the script inside, which installs davit as a service, as in
// examples/systemd, runs the tests, leaves a container that ignores SIGTERM, and turns the
// machine off. How long that takes is measured from outside. What the machine prints is
// kept in .build/vm.
//
// # Rationale
//
// Why emulated? A machine in which this is developed is often virtual itself and has no
// working KVM. Emulated, a boot takes 15 s and all tests 2 minutes; VM_ACCEL=kvm is
// faster where it works.
//
// Why disks, and no shared directory? Debian's cloud kernel has no 9p.
package vm
