// Package e2e tests davit as its users run it: the built binaries, a config in
// HCL, and real containerds with real shims. It has no code beside its tests.
//
// The tests need root, busybox, Debian's containerd and runc, and the containerds
// that `make deps` builds. Without them they are skipped, unless
// DAVIT_REQUIRE_REAL=1: then they fail.
package e2e
