package containerd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
)

// testCommandsThatCannotBeExecuted: none of them has run, and users see why.
func testCommandsThatCannotBeExecuted(t *testing.T, f *fixture, runtime string) {
	for _, c := range realtest.Commands(t, f.rootfs) {
		w := f.workload(first(c.Name), runtime, "")
		w.Spec = realtest.Spec(t, f.rootfs, nil, c.Args...)
		_, err := f.b.Create(t.Context(), w)
		if executor.CodeOf(err) != c.Code || !strings.Contains(err.Error(), c.Says) || strings.Contains(err.Error(), "make room") {
			t.Errorf("%s: got %s: %v; want %s with %q", c.Name, executor.CodeOf(err), err, c.Code, c.Says)
		}
	}
	if list, err := f.b.List(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("list: got %+v, %v", list, err)
	}
}

// testCommandThatHooksMayMake: where a hook may make the program, the runtime says what
// is wrong. What hooks themselves print is never taken for that.
func testCommandThatHooksMayMake(t *testing.T, f *fixture, runtime string) {
	for name, tt := range map[string]struct {
		command, hook string
		code          executor.Code
		says          string
	}{
		"missing":     {"/bin/nope", "true", executor.CommandNotFound, "/bin/nope"},
		"directory":   {"/etc", "true", executor.CommandNotExecutable, "/etc"},
		"not-found":   {"/bin/true", `echo 'exec: "/bin/true": executable file not found in $PATH' >&2; exit 1`, executor.Internal, "executable file not found"},
		"exists":      {"/bin/true", `echo 'network br0 already exists' >&2; exit 1`, executor.Internal, "network br0 already exists"},
		"shim-closed": {"/bin/true", `echo 'ttrpc: closed' >&2; exit 1`, executor.Internal, "ttrpc: closed"},
		"full":        {"/bin/true", `echo 'write x: no space left on device' >&2; exit 1`, executor.Internal, "no space left on device"},
	} {
		count := filepath.Join(f.dir, name+".hook")
		w := f.workload(first(name), runtime, "")
		w.Spec = realtest.WithHook(t, realtest.Spec(t, f.rootfs, nil, tt.command), "createRuntime", "echo x >>"+count+"; "+tt.hook)
		_, err := f.b.Create(t.Context(), w)
		if executor.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %s: %v; want %s with %q", name, executor.CodeOf(err), err, tt.code, tt.says)
		}
		if ran, _ := os.ReadFile(count); string(ran) != "x\n" {
			t.Errorf("%s: the hook ran %d times, want once", name, strings.Count(string(ran), "x"))
		}
	}
}
