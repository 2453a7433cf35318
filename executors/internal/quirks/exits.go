package quirks

import "github.com/davit-run/davit/executors/internal/runtimes"

// LosesExits reports whether a release of containerd loses the exit of a container
// that ends while the daemon is down. When containerd starts and finds a shim without
// processes, it takes it for the remains of a failed create, and ends it. It leaves
// shims of sandboxes alone, which it recognizes by a record with the shim's id in its
// sandbox store. So each container gets such a record, which has no other use.
//
// Versions: containerd 1.7.35 and 2.4.2, with all shims but the first; 1.6.20 does not.
// Source: loadShim in containerd's core/runtime/v2/shim_load.go ("cleaning leaked shim
// process"),
// since https://github.com/containerd/containerd/pull/6866 for
// https://github.com/containerd/containerd/issues/6860.
// Can go: when containerd asks a shim without processes for its exit first.
func LosesExits(release runtimes.Release, shim runtimes.Kind) bool {
	return !release.Before(runtimes.Release{Major: 1, Minor: 7}) && shim != runtimes.KindLinux
}
