package archive

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// IDs are the mappings of a user namespace. Zero means that there is none. A stream has
// the ids inside it, and a tree those outside.
type IDs struct {
	UIDs, GIDs []specs.LinuxIDMapping
}

// nobody is the kernel's id for those that have no mapping.
const nobody = 65534

// Inside returns an id as a process in the namespace sees it.
func (IDs) Inside(id uint32, mappings []specs.LinuxIDMapping) uint32 {
	if len(mappings) == 0 {
		return id
	}
	for _, m := range mappings {
		if id >= m.HostID && uint64(id) < uint64(m.HostID)+uint64(m.Size) {
			return m.ContainerID + (id - m.HostID)
		}
	}
	return nobody
}

// outside reverses Inside.
func (IDs) outside(id int, mappings []specs.LinuxIDMapping) (int, error) {
	if len(mappings) == 0 {
		return id, nil
	}
	for _, m := range mappings {
		if int64(id) >= int64(m.ContainerID) && int64(id) < int64(m.ContainerID)+int64(m.Size) {
			return int(m.HostID) + (id - int(m.ContainerID)), nil
		}
	}
	return 0, fmt.Errorf("its owner %d is none that the container's user namespace has", id)
}
