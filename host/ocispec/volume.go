package ocispec

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// TypeVolume is the type of a mount of a volume. Its source is the volume's name, or empty
// for a new volume without one of the user's. Its options are ro, rw and [OptionNoCopy]. No
// runtime knows volumes: whoever makes a spec puts bind mounts in their place first.
const TypeVolume = "volume"

// OptionNoCopy leaves a new volume empty, and does not copy into it what the image has
// there.
const OptionNoCopy = "nocopy"

// MaxVolumeName is the longest name of a volume, in bytes.
const MaxVolumeName = 255

var volumePattern = pattern(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// ValidateVolumeName checks the name of a volume.
func ValidateVolumeName(name string) error {
	switch {
	case name == "":
		return invalid("volume name is empty")
	case len(name) > MaxVolumeName:
		return invalid("volume name %.20q… has %d bytes, at most %d are allowed", name, len(name), MaxVolumeName)
	case !volumePattern().MatchString(name):
		return invalid("volume name %q is not allowed; use letters, digits, '_', '.' and '-', beginning with a letter or digit", name)
	}
	return nil
}

func validateVolume(m specs.Mount) error {
	if m.Source != "" {
		if err := ValidateVolumeName(m.Source); err != nil {
			return err
		}
	}
	for _, option := range m.Options {
		if option != "ro" && option != "rw" && option != OptionNoCopy {
			return invalid("volume %q at %s: option %q is not known; use ro, rw or %s", m.Source, m.Destination, option, OptionNoCopy)
		}
	}
	return nil
}

// volume returns the mount of a volume.
func volume(what, name, target string, options ...string) (specs.Mount, error) {
	options = slices.DeleteFunc(options, func(option string) bool { return option == "" || option == "rw" })
	return checked(what, specs.Mount{Type: TypeVolume, Source: name, Destination: filepath.Clean(target), Options: options})
}

// isPath reports whether the source of a --volume is a path, and not a name.
func isPath(source string) bool { return filepath.IsAbs(source) || strings.HasPrefix(source, ".") }
