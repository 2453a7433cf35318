package quirks

// containerd reports that a shim is gone as an unknown error with the text of ttrpc.
//
// Versions: containerd 1.6, 1.7 and 2.4. Source: ttrpc.ErrClosed, which package
// errgrpc of containerd/errdefs has no class for. See
// https://github.com/containerd/containerd/pull/4198. Can go: when containerd returns
// the class unavailable for it.

// ShimClosed reports whether an error of containerd's says that a container's shim is
// gone: that is the whole message then, of which hooks and runtimes can only write a
// part.
func ShimClosed(err error) bool { return whole(err) == "ttrpc: closed" }
