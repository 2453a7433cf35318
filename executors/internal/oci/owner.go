package oci

import (
	"crypto/sha256"
	"encoding/hex"
)

// Owner says whose containers an executor looks at.
type Owner struct{ Host, Backend string }

// Key is short and differs between backends, also of different hosts.
func (o Owner) Key() string {
	sum := sha256.Sum256([]byte(o.Host + "\x00" + o.Backend))
	return hex.EncodeToString(sum[:5])
}

// ContainerID gives the id that a container has for shims and OCI runtimes. They
// derive names of sockets, directories and cgroups from it, and the key keeps
// those of two backends apart. At 75 bytes the longest is one below containerd's
// limit.
func (o Owner) ContainerID(id string) string { return id + "-" + o.Key() }
