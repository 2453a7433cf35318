// Package rigs is the roof over what tries davit and is in no product:
//
//   - storm kills, hangs, garbles and damages all there is, and checks that nothing
//     is lost;
//   - e2e tests the binaries as users run them, and has the benchmarks;
//   - realtest starts real containerds for tests, and looks for what they leave behind;
//   - gobuild builds davit's programs for tests, each once;
//   - leftovers runs a command, and looks at the machine for what it has left;
//   - vm tries davit in a virtual machine that systemd runs, with cgroup v2 and v1;
//   - disktest makes disks that fill up, that break, and whose power is cut;
//   - overlay builds davit with seams at which a rig can strike, and with deliberate
//     bugs; failpoint is what these seams call.
//
// Rigs may import anything. Nothing but tests imports rigs (the test of package
// shared holds that), and no product source has code or marks for them.
package rigs
