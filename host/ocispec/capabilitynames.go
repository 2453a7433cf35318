package ocispec

import "strings"

// CapabilityName returns the name of a capability without CAP_, in capitals; it may be ALL. It
// does not check it.
func CapabilityName(name string) string { return strings.TrimPrefix(strings.ToUpper(name), capPrefix) }

// DefaultCapabilities returns the capabilities of containers of root file systems and images
// that ask for no others, as [CapabilityName] has them.
func DefaultCapabilities() []string {
	var names []string
	for _, name := range defaultSpec().Process.Capabilities.Bounding {
		names = append(names, CapabilityName(name))
	}
	return names
}
