package ocispec

import (
	"regexp"
	"sync"
)

// MaxNameLength is the longest name of a container, in bytes.
const MaxNameLength = 64

var namePattern = pattern(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// ValidateName checks the name of a container.
func ValidateName(name string) error {
	switch {
	case name == "":
		return invalid("container name is empty")
	case len(name) > MaxNameLength:
		return invalid("container name %.20q… has %d bytes, at most %d are allowed", name, len(name), MaxNameLength)
	case !namePattern().MatchString(name):
		return invalid("container name %q is not allowed; use letters, digits, '_', '.' and '-', beginning with a letter or digit", name)
	}
	return nil
}

// pattern returns a regular expression that is compiled when it is first used. Programs
// that only talk to a host link this package too, and start often.
func pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
