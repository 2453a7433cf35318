package ocispec

// Networks that always exist: a loopback of the container's own and nothing else, the
// machine's, and one that a program of the container's own connects with what the machine
// reaches.
const (
	NetworkNone = "none"
	NetworkHost = "host"
	NetworkUser = "user"
)

// NetworkContainer begins a network that is the network namespace of another container, whose
// name or id follows.
const NetworkContainer = "container:"

// MaxNetworkName is the longest name of a network, in bytes.
const MaxNetworkName = 64

var networkPattern = pattern(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// ValidateNetworkName checks the name of a network: up to [MaxNetworkName] letters, digits,
// '_', '.' and '-', beginning with a letter or digit. The words none, host, user and
// container are no names.
func ValidateNetworkName(name string) error {
	switch {
	case name == "":
		return invalid("network name is empty")
	case len(name) > MaxNetworkName:
		return invalid("network name %.20q… has %d bytes, at most %d are allowed", name, len(name), MaxNetworkName)
	case !networkPattern().MatchString(name):
		return invalid("network name %q is not allowed; use letters, digits, '_', '.' and '-', beginning with a letter or digit", name)
	case name == NetworkNone || name == NetworkHost || name == NetworkUser || name == "container":
		return invalid("network name %q is not allowed: it has a meaning of its own", name)
	}
	return nil
}
