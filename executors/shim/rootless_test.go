package shim

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

// TestCheckUser refuses what takes root from an executor without it, and says what does not.
func TestCheckUser(t *testing.T) {
	const plain, own = `{"linux":{"namespaces":[{"type":"mount"}]}}`, `{"linux":{"namespaces":[{"type":"mount"},{"type":"user"}]}}`
	for _, tt := range []struct {
		uid  int
		spec string
		ok   bool
	}{{0, plain, true}, {1000, own, true}, {1000, plain, false}, {1000, `{}`, false}} {
		err := checkUser(tt.uid, json.RawMessage(tt.spec))
		if (err == nil) != tt.ok || err != nil && (executor.CodeOf(err) != executor.FailedPrecondition || !strings.Contains(err.Error(), "process or wasm")) {
			t.Errorf("user %d, %s: got %v", tt.uid, tt.spec, err)
		}
	}
}
