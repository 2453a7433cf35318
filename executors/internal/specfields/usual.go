package specfields

import (
	"github.com/davit-run/davit/shared/honoured"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// IsUsualMount reports whether a mount is of one of the kernel's file systems that
// every container has, and has no size of its own, or of a file that the host has made
// for the container with this id.
func IsUsualMount(id string, m specs.Mount) bool {
	var options []any
	for _, o := range m.Options {
		options = append(options, o)
	}
	return honoured.IsUsualMount(m.Destination, m.Type, options) || honoured.IsUsualFile(id, m.Destination, m.Source)
}
