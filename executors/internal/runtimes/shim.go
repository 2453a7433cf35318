package runtimes

import (
	"path/filepath"
	"strings"
)

// The shims that containerd itself has shipped.
const (
	ShimRuncV2  = "io.containerd.runc.v2"
	ShimRuncV1  = "io.containerd.runc.v1"
	ShimLinuxV1 = "io.containerd.runtime.v1.linux"
)

// Kind says which options a shim understands.
type Kind string

const (
	// KindRunc takes containerd.runc.v1.Options.
	KindRunc Kind = "runc"
	// KindLinux takes the options of containerd's first shim, which is served by
	// containerd 1.x alone.
	KindLinux Kind = "linux"
	// KindGeneric is any other shim. It gets no options unless some are
	// configured, and then runtimeoptions.v1.Options.
	KindGeneric Kind = "generic"
)

// KindOf returns the kind of a shim, which is a name or an absolute path.
func KindOf(shim string) Kind {
	switch shim {
	case ShimRuncV2, ShimRuncV1:
		return KindRunc
	case ShimLinuxV1:
		return KindLinux
	}
	if filepath.IsAbs(shim) {
		switch filepath.Base(shim) {
		case "containerd-shim-runc-v2", "containerd-shim-runc-v1":
			return KindRunc
		}
	}
	return KindGeneric
}

// takesPath reports whether the shim runs an OCI binary of our choice.
func (k Kind) takesPath() bool { return k == KindRunc || k == KindLinux }

// shimName is the form io.containerd.NAME.vN. Shims of other names exist, but
// containerd derives the binary from the last two parts, so all have at least two.
var shimName = Regexp(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.v[0-9]+$`)

// LooksLikeShim reports whether name has the form of a shim's name.
func LooksLikeShim(name string) bool { return name == ShimLinuxV1 || shimName().MatchString(name) }

// ShimBinary returns the program that containerd runs for a shim: a path as it is,
// and for a name the file that is looked up on the daemon's PATH.
func ShimBinary(shim string) string {
	switch {
	case filepath.IsAbs(shim):
		return shim
	case shim == ShimLinuxV1:
		return "containerd-shim"
	}
	parts := strings.Split(shim, ".")
	if len(parts) < 2 {
		return ""
	}
	return "containerd-shim-" + parts[len(parts)-2] + "-" + parts[len(parts)-1]
}
