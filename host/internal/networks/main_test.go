package networks

import (
	"os"
	"testing"

	"github.com/davit-run/davit/host/rigs/ownnet"
)

// TestMain runs the tests in namespaces of their own, as far as that is allowed.
func TestMain(m *testing.M) {
	ownnet.Main(m, func() {
		if dir := os.Getenv(crashDir); dir != "" {
			churn(dir)
		}
		if dir := os.Getenv(pluginsDir); dir != "" {
			plug(dir)
		}
	})
}

// need skips a test that changes the network where it cannot have one of its own.
func need(t *testing.T) {
	t.Helper()
	ownnet.Need(t)
}
