// Package containerd is the executor that runs containers through a containerd
// daemon, and through any of its shims.
package containerd
