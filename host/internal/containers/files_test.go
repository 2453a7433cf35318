package containers

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// A root file system that is the host's own, by whatever path, is not a container's.
func TestRootOfTheHost(t *testing.T) {
	link := t.TempDir() + "/link"
	if err := os.Symlink("/", link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/proc/self/root", link} {
		_, err := rootfsTree(&store.Container{ID: "c"}, &specs.Spec{Root: &specs.Root{Path: path}})
		if !errors.Is(err, executor.FailedPrecondition) || !strings.Contains(err.Error(), "its root is that of the host") {
			t.Errorf("%s: got %v", path, err)
		}
	}
	for _, root := range []*specs.Root{nil, {}, {Path: "/nowhere"}} {
		if _, err := rootfsTree(&store.Container{ID: "c"}, &specs.Spec{Root: root}); !errors.Is(err, executor.FailedPrecondition) {
			t.Errorf("%+v: got %v", root, err)
		}
	}
}

// The process with the pid of a record is only looked into if it has the container's root.
func TestForeignProcess(t *testing.T) {
	c := &store.Container{ID: "c", PID: os.Getpid(), State: store.Running}
	own, err := rootfsTree(c, &specs.Spec{Root: &specs.Root{Path: t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	m := &Manager{}
	for _, pid := range []int{os.Getpid(), 1, 0, -1, 1 << 30} {
		c.PID = pid
		if inside := m.insideTree(c, own); inside != nil {
			_ = inside.Close()
			t.Errorf("process %d was taken for the container's", pid)
		}
	}
}

func TestNameIn(t *testing.T) {
	for _, test := range []struct{ path, name, inside, want string }{
		{"/etc/x", "", "/etc/x", "x"}, {"x/", "", "/x", "x"}, {"/x/.", "", "/x", "x"}, {"/", "", "/", "."}, {"/a/..", "", "/", "."},
		{"/x", "y", "/x", "y"}, {"/x", ".", "/x", "."}, {"/x", "a/b", "/x", "a/b"},
	} {
		if got, err := nameIn(api.CopyFromOptions{Path: test.path, Name: test.name}, test.inside); got != test.want || err != nil {
			t.Errorf("%+v: got %q, %v", test, got, err)
		}
	}
	for _, name := range []string{"..", "../x", "/x", "a//b", "a/../../b", "a/"} {
		if got, err := nameIn(api.CopyFromOptions{Path: "/x", Name: name}, "/x"); !errors.Is(err, executor.Invalid) {
			t.Errorf("%q: got %q, %v", name, got, err)
		}
	}
}
