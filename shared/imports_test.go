// Package shared_test checks what the packages below may import. Imports run one way:
// host and plugin kit, transport, contract; executors know the contract and the kit
// alone. Rigs may import anything, and only rigs and tests import them.
package shared_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/davit-run/davit/"
	rigs   = "host/rigs/"
)

// imports returns the direct imports of each package of the module, without those of
// tests.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		all[strings.TrimPrefix(words[0], module)] = words[1:]
	}
	return all
}

func TestImportsRunOneWay(t *testing.T) {
	all := imports(t)
	if len(all) < 10 {
		t.Fatalf("go list found %d packages", len(all))
	}
	for pkg, imported := range all {
		for _, path := range imported {
			own, ours := strings.CutPrefix(path, module)
			top, _, _ := strings.Cut(own, "/")
			rig := strings.HasPrefix(pkg, rigs)
			var why string
			switch {
			case pkg == "shared/executor" && strings.Contains(path, ".") && !strings.HasPrefix(path, "github.com/opencontainers/runtime-spec"):
				why = "the contract knows the standard library and the OCI runtime spec"
			case pkg != "shared/transport" && path == "net/rpc":
				why = "shared/transport alone knows net/rpc"
			case path == "github.com/hashicorp/go-plugin" && !slices.Contains([]string{"shared/transport", "shared/plugin", "shared/conformance"}, pkg):
				why = "go-plugin is known to the transport, the kit and the conformance suite, which starts programs with it"
			case ours && strings.HasPrefix(pkg, "shared/") && top != "shared":
				why = "shared imports nothing of the host or of executors"
			case ours && !rig && strings.HasPrefix(own, rigs):
				why = "rigs are for tests"
			case ours && !rig && strings.HasPrefix(pkg, "host") && top == "executors":
				why = "the host knows no executor"
			case ours && strings.HasPrefix(pkg, "executors/") && top == "host":
				why = "executors do not know the host"
			case ours && !rig && strings.HasPrefix(pkg, "host") && pkg != "host/cmd/davit-host" && strings.HasPrefix(own, "shared/conformance"):
				why = "the host does not need the conformance suite, only the command that runs it does"
			case pkg == "shared/conformance" && path == "testing":
				why = "davit conformance is not a test"
			}
			if why != "" {
				t.Errorf("%s imports %s: %s", pkg, path, why)
			}
		}
	}
}
