package ocispec

import "regexp"

// MaxNameLength is the longest name of a container, in bytes.
const MaxNameLength = 64

var namePattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// ValidateName checks the name that a user gives a container.
func ValidateName(name string) error {
	switch {
	case name == "":
		return invalid("container name is empty")
	case len(name) > MaxNameLength:
		return invalid("container name %.20q… has %d bytes, at most %d are allowed", name, len(name), MaxNameLength)
	case !namePattern.MatchString(name):
		return invalid("container name %q is not allowed; use letters, digits, '_', '.' and '-', beginning with a letter or digit", name)
	}
	return nil
}
