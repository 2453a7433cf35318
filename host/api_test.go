package host_test

import (
	"cmp"
	"path"
	"slices"
	"testing"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/transport"
)

// TestHostServesTheAPI checks that a host has the methods that the routes need, but for those
// about the process that it is in. The program that serves the API adds them; see
// TestProgramServesTheAPI there.
func TestHostServesTheAPI(t *testing.T) {
	added := []string{"Profile", "WriteMetrics"}
	var unserved []string
	for _, r := range api.Unserved(&host.Host{}) {
		unserved = append(unserved, r.Name)
		if !slices.Contains(added, r.Name) {
			t.Errorf("a host does not serve %s %s, which %s", r.Method, r.Path, r.Doc)
		}
	}
	if slices.Sort(unserved); !slices.Equal(unserved, added) {
		t.Errorf("a host does not serve %q, want %q", unserved, added)
	}
}

// TestEachUpgradeHasARoute checks that what backends can do beyond the five methods
// can be asked for by users. A route is named like the method, but for these.
func TestEachUpgradeHasARoute(t *testing.T) {
	names := map[string]string{
		transport.MethodRuntimeList.Name:    "runtimes",
		transport.MethodRuntimeResolve.Name: "containers", // with which a container is made
		transport.MethodStrayAdopt.Name:     "adopt",
		transport.MethodStrayRemove.Name:    "strays",
		transport.MethodCloseInput.Name:     "exec", // on the connection of an attached client
		transport.MethodResize.Name:         "exec",
		transport.MethodCheckpoint.Name:     "checkpoints",
		transport.MethodImageList.Name:      "images",
		transport.MethodImage.Name:          "containers",
		transport.MethodRootPrepare.Name:    "containers",
		transport.MethodRootRemove.Name:     "containers", // of which it is a part
		transport.MethodRootList.Name:       "containers",
	}
	for _, m := range transport.BackendMethods() {
		name := cmp.Or(names[m.Name], m.Name)
		routed := slices.ContainsFunc(api.Routes(), func(r api.RouteInfo) bool { return path.Base(r.Path) == name })
		if m.Capability != "" && !routed {
			t.Errorf("no route of the API ends in %q, for the method %q, which %s", name, m.Name, m.Doc)
		}
	}
}
