// Package runtimes has the runtime table that executors of OCI containers share: the
// names that users choose from, each for a containerd shim, an OCI binary and typed
// options.
//
// A [Table] is made from the runtime blocks of a backend's config and checked without
// I/O. Resolve returns a [Resolved], which is self-contained: it is stored with the
// container, and starting the container needs nothing else. So a change of the config
// never affects existing containers.
//
// # Rationale
//
// Why are options typed, when containerd passes them on as opaque bytes? A shim that
// receives options of another type refuses them or, worse, ignores them. The type
// follows from the shim, so it is known before anything is started.
//
// Why a wrapper script for args? A shim calls its OCI binary by name and has no
// place for arguments. The script's name is a hash of its content, so a runtime
// whose args change gets another script and running containers keep theirs.
package runtimes
