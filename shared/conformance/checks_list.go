package conformance

import (
	"fmt"
	"slices"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(80, transport.MethodList.Name,
	Check{Name: "list", run: checkList,
		Duty: "List shows every attempt of the backend, running or ended, with its status, and no other.",
		Hint: "Build List from what exists, with the same status as Restore returns."},
	Check{Name: "list-ours", run: checkListOurs,
		Duty: "A backend of another name or host neither shows nor touches our workloads, also where ids are the same.",
		Hint: "Mark everything with HostID and Backend, or keep it below StateDir."},
)

func checkList(t *trial) {
	s := t.open()
	if listed := s.List(); len(listed) != 0 {
		t.errorf("before anything was created, List shows %q", refs(listed))
	}
	running := t.workload(s, untilGo)
	first := s.create(running)
	ended := s.launch(Step{Action: Exit, N: 7})
	s.released(ended)

	listed := s.List()
	t.wantRunning(listed[running.Ref], "List of the running attempt")
	t.wantSameStart(listed[running.Ref], first, "List of the running attempt")
	if got := listed[running.Ref].Runtime; got != first.Runtime {
		t.errorf("List names the runtime %q, Create named %q", got, first.Runtime)
	}
	t.wantCodeOf(listed[ended.Ref], "List of the ended attempt", 7)
	if len(listed) != 2 {
		t.errorf("with two attempts, List shows %q", refs(listed))
	}
}

func checkListOurs(t *trial) {
	s := t.open()
	w := s.launch(untilGo, Step{Action: Exit, N: 7})
	w.awaitFile(startsFile)
	others := map[string]*subject{
		"a backend of another name": t.openAs(s.env.HostID, "two"),
		"a backend of another host": t.openAs("other-"+t.token, s.env.Backend),
	}
	for name, other := range others {
		if listed := other.List(); len(listed) != 0 {
			t.errorf("List of %s shows %q", name, refs(listed))
		}
		_, err := other.Restore(w.Ref, w.Stdio)
		t.wantCode(err, "Restore by "+name, executor.NotFound)
		t.wantCode(other.Signal(w.Ref, 9), "Signal by "+name, executor.NotFound)
		if err := other.Delete(w.Ref); err != nil {
			t.errorf("Delete by %s, which knows no such attempt: %s", name, describe(err))
		}
		same := t.prepareWorkload(other, w.Ref, t.subdir("same"), []Step{{Action: Exit, N: 9}})
		t.wantOtherStart(other, same, name)
	}
	t.wantRunning(s.List()[w.Ref], "List after all that")
	w.touch("go")
	s.wantExit(w, 7)
	w.wantStarts("1")
}

// wantOtherStart runs a workload with the id of another backend's.
func (t *trial) wantOtherStart(s *subject, w *workload, name string) {
	if _, err := s.Create(t.ctx, w.Workload); err != nil {
		t.errorf("Create of the same id by %s: %s", name, describe(err))
		return
	}
	s.wantExit(w, 9)
	s.released(w)
	w.wantStarts("1")
	t.must(s.Delete(w.Ref), "Delete of the same id by %s", name)
}

// refs returns the refs of statuses in a readable order.
func refs(listed map[executor.Ref]executor.Status) []string {
	var all []string
	for ref, status := range listed {
		all = append(all, fmt.Sprintf("%s (%s)", ref, status.State))
	}
	slices.Sort(all)
	return all
}
