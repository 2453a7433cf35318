package oci

import (
	"crypto/sha256"
	"encoding/hex"
)

// Owner identifies the backend whose containers an executor manages.
type Owner struct{ Host, Backend string }

// Key returns a short key that differs between backends, even of different hosts.
func (o Owner) Key() string {
	sum := sha256.Sum256([]byte(o.Host + "\x00" + o.Backend))
	return hex.EncodeToString(sum[:5])
}

// ContainerID returns the id that a container has for shims and OCI runtimes. They
// derive names of sockets, directories and cgroups from it, and the key keeps those
// of two backends apart. The longest has 75 bytes, one less than containerd's limit.
func (o Owner) ContainerID(id string) string { return id + "-" + o.Key() }
