package conformance

import (
	"encoding/json"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(155, transport.MethodUpdate.Name,
	Check{Name: "update", Capability: executor.CapUpdate, run: checkUpdate,
		Duty: "Update sets the limits that it is given and leaves the others; repeating it changes nothing, and the workload runs on.",
		Hint: "Change the limits of what runs, and do not start it anew. Stats, where it is offered, shows them."},
	Check{Name: "update-restart", Capability: executor.CapUpdate, run: checkUpdateRestart,
		Duty: "Updated limits stay over the death of the executor.",
		Hint: "Set them where the workload runs; keep nothing of them in memory."},
	Check{Name: "update-invalid", Capability: executor.CapUpdate, run: checkUpdateInvalid,
		Duty: "Resources that are not those of an OCI spec are Invalid.",
		Hint: "Decode them before anything is changed, into the type of the OCI runtime spec."},
	Check{Name: "update-ended", Capability: executor.CapUpdate, run: checkUpdateEnded,
		Duty: "Update of an attempt that has ended is FailedPrecondition, of an unknown one NotFound.",
		Hint: "An attempt that has ended is known until Delete."},
)

// Limits that no workload of a check comes near.
const (
	limitMemory = 512 << 20
	limitTasks  = 1000
)

func (s *subject) update(w *workload, resources string) error {
	_, err := do(s.t.ctx, s, transport.MethodUpdate, transport.UpdateRequest{Ref: w.Ref, Resources: json.RawMessage(resources)})
	return err
}

// wantLimits compares what Stats shows, if it is offered, with limitMemory, and unless that is
// 0 with a limit of tasks.
func (s *subject) wantLimits(w *workload, when string, tasks uint64) {
	if !s.has(executor.CapStats) {
		return
	}
	stats, err := do(s.t.ctx, s, transport.MethodStats, w.Ref)
	s.t.must(err, "Stats of %s", w.Ref)
	for what, limit := range map[string]struct {
		got  *uint64
		want uint64
	}{"memory": {stats.MemoryLimit, limitMemory}, "tasks": {stats.TasksLimit, tasks}} {
		switch {
		case limit.want == 0:
		case limit.got == nil:
			s.t.errorf("%s: Stats shows no limit of %s, want %d", when, what, limit.want)
		case *limit.got != limit.want:
			s.t.errorf("%s: Stats shows the limit %d of %s, want %d", when, *limit.got, what, limit.want)
		}
	}
}

func checkUpdate(t *trial) {
	s := t.open()
	w := s.launch(pausable...)
	w.awaitFile("ready")
	pid := s.List()[w.Ref].PID
	for _, when := range []string{"Update", "Update, repeated"} {
		t.must(s.update(w, `{"memory":{"limit":536870912}}`), "%s of %s", when, w.Ref)
		s.wantLimits(w, when, 0)
	}
	t.must(s.update(w, `{"pids":{"limit":1000}}`), "Update of another limit of %s", w.Ref)
	s.wantLimits(w, "Update of another limit", limitTasks)
	t.must(s.update(w, `{}`), "Update of nothing of %s", w.Ref)
	s.wantLimits(w, "Update of nothing", limitTasks)
	if got := s.List()[w.Ref].PID; got != pid {
		t.errorf("after Update the workload has the pid %d, and had %d", got, pid)
	}
	w.touch("go")
	s.wantExit(w, 7)
}

func checkUpdateRestart(t *trial) {
	s := t.open()
	w := s.launch(pausable...)
	w.awaitFile("ready")
	t.must(s.update(w, `{"memory":{"limit":536870912},"pids":{"limit":1000}}`), "Update of %s", w.Ref)
	s.kill()
	s.start()
	s.restore(w)
	s.wantLimits(w, "after the restart", limitTasks)
	w.touch("go")
	s.wantExit(w, 7)
}

func checkUpdateInvalid(t *trial) {
	s := t.open()
	w := s.launch(pausable...)
	w.awaitFile("ready")
	for _, resources := range []string{`[]`, `"x"`, `{"memory":{"limit":"much"}}`, `{"memory":7}`} {
		t.wantCode(s.update(w, resources), "update with resources "+resources, executor.Invalid)
	}
	w.touch("go")
	s.wantExit(w, 7)
}

func checkUpdateEnded(t *trial) {
	s := t.open()
	unknown := t.workload(s, untilGo)
	w := s.launch(Step{Action: Exit, N: 7})
	s.released(w)
	t.wantCode(s.update(w, `{"pids":{"limit":1000}}`), "update of what has ended", executor.FailedPrecondition)
	t.wantCode(s.update(unknown, `{"pids":{"limit":1000}}`), "update of an unknown container", executor.NotFound)
}
