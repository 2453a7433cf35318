package oci

import (
	"os"
	"strings"
)

// Environ returns the environment for programs that the executor starts: its own,
// without the variables of the plugin protocol.
func Environ() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "DAVIT_") && !strings.HasPrefix(v, "PLUGIN_") {
			env = append(env, v)
		}
	}
	return env
}
