package ocispec

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// changeShm sets the size of /dev/shm.
func (o *Options) changeShm(spec *object, _ string) error {
	const shm = "/dev/shm"
	if o.ShmBytes == 0 {
		return nil
	}
	if o.IPC == NamespaceHost {
		return invalid("a size of %s does not go with ipc %s, which has the machine's; leave one of them out", shm, NamespaceHost)
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
