package conformance

import (
	"bytes"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(120, transport.MethodRuntimeResolve.Name,
	Check{Name: "runtime-resolve", Capability: executor.CapRuntimeResolve, run: checkRuntimeResolve,
		Duty: "ResolveRuntime returns the default runtime's own name for an empty one, and the same answer each time.",
		Hint: "Resolve the default by its name, to bytes that depend on the config alone."},
	Check{Name: "runtime-unknown", Capability: executor.CapRuntimeResolve, run: checkRuntimeUnknown,
		Duty: "ResolveRuntime of an unknown name is NotFound, and Create with it starts nothing.",
		Hint: "NotFound for names that are not configured; in Create, an unresolved runtime is an error."},
	Check{Name: "runtime-list", Method: transport.MethodRuntimeList.Name, Capability: executor.CapRuntimeList, run: checkRuntimeList,
		Duty: "Runtimes lists what ResolveRuntime resolves, and says of the others why they cannot be chosen.",
		Hint: "Runtimes and ResolveRuntime should share one function."},
)

const noRuntime = "no-such-runtime"

func (s *subject) resolve(name string) (executor.Runtime, error) {
	return do(s.t.ctx, s, transport.MethodRuntimeResolve, name)
}

func (s *subject) runtimes() []executor.RuntimeInfo {
	infos, err := do(s.t.ctx, s, transport.MethodRuntimeList, transport.None{})
	s.t.must(err, "Runtimes")
	return infos
}

func checkRuntimeResolve(t *trial) {
	s := t.open()
	byDefault, err := s.resolve("")
	t.must(err, "ResolveRuntime of the default")
	if byDefault.Name == "" {
		t.fatalf("ResolveRuntime of the default does not name it")
	}
	again, err := s.resolve(byDefault.Name)
	t.must(err, "ResolveRuntime of %q", byDefault.Name)
	if again.Name != byDefault.Name || !bytes.Equal(again.Resolved, byDefault.Resolved) {
		t.errorf("the default resolves to %q %s, its name to %q %s", byDefault.Name, byDefault.Resolved, again.Name, again.Resolved)
	}
}

func checkRuntimeUnknown(t *trial) {
	s := t.open()
	_, err := s.resolve(noRuntime)
	t.wantCode(err, "ResolveRuntime of an unknown name", executor.NotFound)

	w := t.workload(s, untilGo)
	w.Runtime = executor.Runtime{Name: noRuntime}
	if _, err := s.Create(t.ctx, w.Workload); err == nil {
		t.errorf("Create with an unknown runtime: no error")
	}
	if listed := s.List(); len(listed) != 0 {
		t.errorf("after Create with an unknown runtime, List shows %q", refs(listed))
	}
	w.wantStarts()
}

func checkRuntimeList(t *trial) {
	s := t.open()
	s.need(executor.CapRuntimeResolve)
	byDefault, err := s.resolve("")
	t.must(err, "ResolveRuntime of the default")
	seen := map[string]bool{}
	for _, info := range s.runtimes() {
		if info.Name == "" || seen[info.Name] {
			t.errorf("Runtimes returns the name %q empty or twice", info.Name)
		}
		seen[info.Name] = true
		if isDefault := info.Name == byDefault.Name; info.Default != isDefault {
			t.errorf("Runtimes says that %q is the default: %t; ResolveRuntime says: %t", info.Name, info.Default, isDefault)
		}
		_, err := s.resolve(info.Name)
		if info.Problem != "" {
			t.wantCode(err, "ResolveRuntime of "+info.Name+", which has a problem", executor.FailedPrecondition)
		} else if err != nil {
			t.errorf("ResolveRuntime of %q, which has no problem: %s", info.Name, describe(err))
		}
	}
	if !seen[byDefault.Name] {
		t.errorf("Runtimes does not list the default, %q", byDefault.Name)
	}
}
