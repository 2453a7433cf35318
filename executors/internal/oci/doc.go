// Package oci holds what executors that drive containerd's shims do alike,
// whether through a daemon or not: it checks specs and streams, names containers
// and cgroups, counts kills for want of memory, and reads the shims' exits and
// errors.
package oci
