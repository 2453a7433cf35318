package transport

import (
	"fmt"
	"slices"
	"strings"

	"github.com/davit-run/davit/shared/executor"
)

// ProtocolVersion is the newest protocol that this package speaks, and the one that
// the envelope and the bodies of package executor describe. It counts only
// incompatible changes: see the compatibility promise in the package documentation.
const ProtocolVersion = 1

// Protocols returns all protocols that this package speaks, newest first. Host and
// executor agree on the newest that both speak.
func Protocols() []int { return []int{ProtocolVersion} }

// Speaks reports whether this package speaks a protocol.
func Speaks(protocol int) bool { return slices.Contains(Protocols(), protocol) }

// Incompatible returns the error, of code [executor.Unsupported], for an executor and
// a host that have no protocol in common. It says which of them is too old. The names
// are for people, such as "executor hello 1.2.0" and "this host".
func Incompatible(theExecutor string, its []int, theHost string, hosts []int) error {
	remedy := "upgrade the executor, or install an older davit"
	if slices.Max(its) > slices.Max(hosts) {
		remedy = "upgrade davit, or install an older release of the executor"
	}
	return executor.Errorf(executor.Unsupported, "%s speaks protocol %s, %s speaks protocol %s: %s",
		theExecutor, numbers(its), theHost, numbers(hosts), remedy)
}

func numbers(list []int) string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(list)), ", "), "[]")
}
