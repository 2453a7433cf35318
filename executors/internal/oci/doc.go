// Package oci has what executors that drive containerd's shims share, whether they
// use a daemon or not: it checks specs and streams, names containers and cgroups,
// counts kills for want of memory, and reads the shims' exits and errors.
package oci
