// Package vm tests davit on a machine that systemd runs, with cgroup v2 and with v1, as
// most machines are that davit is installed on and few are that it is built on. The
// tests run within a virtual machine; elsewhere they are skipped.
//
//	make vm             # all
//	make vm VM=v2
//	make vm VM=year     # the package, on one machine that is booted three times
//
// The script run makes a Debian with systemd, a root file system on a disk, and a second
// disk with davit, the tests and what they need. It boots Debian's kernel and initrd in
// qemu. A unit there runs the script inside, which installs davit as a service, as in
// examples/systemd, runs the tests, leaves a container that ignores SIGTERM, and turns the
// machine off. How long that takes is measured from outside. What the machine prints is
// kept in .build/vm.
//
// In the year davit comes as the package of `make deb`, and the script of that name does with
// it what an operator does: installs, configures, restarts, upgrades from an earlier build,
// removes it, turns the machine off and cuts its power. The tests say which part of it they
// are, and run in the order in which they stand in the files of that part.
//
// # Rationale
//
// Why emulated? A machine in which this is developed is often virtual itself and has no
// working KVM. Emulated, a boot takes 15 s, and all tests of a version of cgroups 2 minutes;
// those of the year wait for a minute in all where nothing is emulated. VM_ACCEL=kvm is
// faster where it works.
//
// Why disks, and no shared directory? Debian's cloud kernel has no 9p.
package vm
