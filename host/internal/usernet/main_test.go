package usernet

import (
	"os"
	"testing"

	"github.com/davit-run/davit/host/rigs/ownnet"
)

// TestMain runs the tests in namespaces of their own, as far as that is allowed.
func TestMain(m *testing.M) {
	ownnet.Main(m, func() {
		if dir := os.Getenv(holdDir); dir != "" {
			holdFor(dir)
		}
	})
}
