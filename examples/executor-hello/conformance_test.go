package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/davit-run/davit/shared/conformance"
	"github.com/davit-run/davit/shared/executor"
)

// TestConformance proves that the executor honours the contract. Each subtest is
// one duty; `davit conformance --process PATH` makes the same checks.
func TestConformance(t *testing.T) {
	program := filepath.Join(t.TempDir(), "davit-executor-hello")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	conformance.Test(t, conformance.Target{
		Binary: program,
		Spec:   conformance.Shell,
		Refused: []executor.Settings{
			{Config: json.RawMessage(`{"env":{"A=B":"c"}}`)},
		},
	})
}
