package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/plugin"
)

// Mode is a way to reach the executor under test.
type Mode string

const (
	// Direct calls the backend in this process, with nothing in between.
	Direct Mode = "direct"
	// Connected puts the plugin kit and the transport in between, over a socket
	// within this process.
	Connected Mode = "connected"
	// Binary starts the built program. Only in this mode can an executor be killed;
	// in the others it is closed, and opened again, in its place.
	Binary Mode = "binary"
)

// maxTempDir is the length of a directory for temporary files that leaves room for the
// path of a socket below, which has at most 108 bytes.
const maxTempDir = 24

// Target is an executor to be tested. Spec is required, and at least one of Executor
// and Binary.
type Target struct {
	// Executor is tested in the modes Direct and Connected. If there is a Binary too,
	// only the checks that show more of a backend than of a program run on it,
	// directly. Several backends are opened on it, at the same time and one after the
	// other, so what it keeps must belong to the backend.
	Executor *executor.Executor
	// Binary is the path of a program to be tested in mode Binary.
	Binary string
	// Env is added to the environment of Binary, which otherwise has only PATH.
	Env []string

	// Spec returns an OCI spec that makes a workload do p: see [OCI], [Shell] and
	// [Memory]. The workload must see the directory scratch, for reading and
	// writing. An error of code executor.Unsupported skips the check that needs
	// p, with its message.
	Spec func(p Program, scratch string) (json.RawMessage, error)
	// Settings are what the backend is opened with. None by default.
	Settings executor.Settings
	// Refused are settings that Validate must refuse. None by default.
	Refused []executor.Settings
	// Runtime is the runtime of the workloads. The backend's default by default.
	Runtime string

	// Image names an image that the backend has, for executors that have images of their
	// own. What Spec returns must run on its root file system. Without one, the checks about
	// images are skipped.
	Image string

	// Only names the checks to run, or patterns of names such as "create-*". All run
	// by default.
	Only []string
	// Skip names the checks that this executor cannot pass, each with the reason. The
	// report shows both.
	Skip map[string]string

	// Patience bounds each wait for something that must happen. 30 s by default.
	Patience time.Duration
	// Workloads is how many workloads of a check run at once at most. 16 by default.
	Workloads int
	// Parallel is how many checks [Test] runs at once. 4 by default: checks wait most
	// of the time.
	Parallel int
	// OutputBytes is how much one workload writes at most. 20 MB by default.
	OutputBytes int

	// serve replaces plugin.ServeConn in the suite's own tests, and alter changes
	// calls in mode Direct.
	serve func(net.Conn, *plugin.Server)
	alter intercept
	// dir is the parent of the directories of checks. The suite's own tests make
	// thousands.
	dir string
}

// Modes returns the modes in which t is tested.
func (t Target) Modes() []Mode {
	switch {
	case t.Executor != nil && t.Binary != "":
		return []Mode{Direct, Binary}
	case t.Executor != nil:
		return []Mode{Direct, Connected}
	case t.Binary != "":
		return []Mode{Binary}
	}
	return nil
}

func (t Target) validate() error {
	if len(t.Modes()) == 0 {
		return errors.New("conformance: the target has neither an Executor nor a Binary")
	}
	if t.Spec == nil {
		return errors.New("conformance: the target has no Spec")
	}
	for name := range t.Skip {
		if !slices.ContainsFunc(Checks(), func(c Check) bool { return c.Name == name }) {
			return fmt.Errorf("conformance: the target skips %q, but there is no such check", name)
		}
	}
	for _, pattern := range t.Only {
		if !slices.ContainsFunc(Checks(), func(c Check) bool { return c.matches(pattern) }) {
			return fmt.Errorf("conformance: the target has only %q, but there is no such check", pattern)
		}
	}
	return nil
}

func (t Target) withDefaults() Target {
	if t.Patience == 0 {
		t.Patience = 30 * time.Second
	}
	if t.Workloads == 0 {
		t.Workloads = 16
	}
	if t.Parallel == 0 {
		t.Parallel = 4
	}
	if t.OutputBytes == 0 {
		t.OutputBytes = 20 << 20
	}
	if t.dir == "" {
		t.dir = "/tmp" // there is a socket below, whose path must be short
		if d := os.TempDir(); len(d) <= maxTempDir {
			t.dir = d
		}
	}
	if t.serve == nil {
		t.serve = plugin.ServeConn
	}
	return t
}
