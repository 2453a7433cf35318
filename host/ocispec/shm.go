package ocispec

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// DefaultShmBytes is the size of /dev/shm that nobody asks for.
const DefaultShmBytes = 64 << 20

// shm is where programs look for shared memory.
const shm = "/dev/shm"

// isShm reports whether a mount is a container's own shared memory.
func isShm(m *specs.Mount) bool { return filepath.Clean(m.Destination) == shm && m.Type == "tmpfs" }

// validateShm checks what goes with the namespace for shared memory.
func (o *Options) validateShm() error {
	_, other := OtherContainer(o.IPC)
	if (other || o.IPC == NamespaceShareable) && slices.ContainsFunc(o.Mounts, func(m specs.Mount) bool { return filepath.Clean(m.Destination) == shm }) {
		return invalid("a mount at %s does not go with ipc %s, where more than one container has what is there; leave one of them out", shm, o.IPC)
	}
	return nil
}

// changeShm sets the size of /dev/shm.
func (o *Options) changeShm(spec *object, _ string) error {
	if o.ShmBytes == 0 {
		return nil
	}
	switch {
	case o.IPC == NamespaceHost:
		return invalid("a size of %s does not go with ipc %s, which has the machine's; leave one of them out", shm, NamespaceHost)
	case o.IPC == NamespaceNone:
		return invalid("a size of %s does not go with ipc %s, which has none; leave one of them out", shm, NamespaceNone)
	case !newNamespace(o.IPC):
		return invalid("a size of %s does not go with ipc %s, which has that container's; leave one of them out", shm, o.IPC)
	}
	var mounts []json.RawMessage
	if _, err := spec.get("mounts", &mounts); err != nil {
		return err
	}
	m := specs.Mount{Destination: shm, Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777"}}
	for _, raw := range mounts {
		var old specs.Mount
		if err := json.Unmarshal(raw, &old); err != nil {
			return err
		}
		if filepath.Clean(old.Destination) != shm {
			continue
		}
		if old.Type != "tmpfs" {
			return invalid("a size of %s does not go with a mount of type %s there; leave one of them out", shm, old.Type)
		}
		m.Options = slices.DeleteFunc(old.Options, func(option string) bool { return strings.HasPrefix(option, "size=") })
	}
	m.Options = append(m.Options, "size="+strconv.FormatInt(o.ShmBytes, 10))
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return spec.set("mounts", place(mounts, shm, raw))
}
