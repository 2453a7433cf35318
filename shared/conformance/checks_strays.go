package conformance

import (
	"os"
	"path/filepath"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(150, transport.MethodStrays.Name,
	Check{Name: "strays", Capability: executor.CapStrays, run: checkStrays,
		Duty: "What runs although its host and its StateDir are lost is a stray, and runs on; what the backend has is none.",
		Hint: "Look for what outlives the StateDir: daemons, sockets in the RunDir, processes, cgroups. Start nothing and end nothing."},
	Check{Name: "stray-adopt", Method: transport.MethodStrayAdopt.Name, Capability: executor.CapStrays, run: checkStrayAdopt,
		Duty: "A stray without a Problem is adopted and then like any other attempt; one with a Problem is refused and runs on.",
		Hint: "Mark it as this backend's own, or write its record again, under the ref that it had."},
	Check{Name: "stray-remove", Method: transport.MethodStrayRemove.Name, Capability: executor.CapStrays, run: checkStrayRemove,
		Duty: "A stray that is removed is killed, and nothing of it is left; removing it again changes nothing.",
		Hint: "Find what is to be killed by the key, and look again whether it is a stray."},
)

// lose runs a workload, takes the state of the executor and of its host away, and returns
// the stray that is then found.
func (t *trial) lose() (*subject, *workload, executor.Stray) {
	s := t.open()
	w := s.launch(untilGo, Step{Action: Exit, N: 7})
	w.awaitFile(startsFile)
	if got := s.strays(); len(got) != 0 {
		t.errorf("before anything was lost, Strays shows %+v", got)
	}
	s.kill()
	entries, err := os.ReadDir(s.env.StateDir)
	for _, e := range entries {
		t.must(os.RemoveAll(filepath.Join(s.env.StateDir, e.Name())), "removing the executor's state")
	}
	t.must(err, "removing the executor's state")
	s.env.HostID = "other-" + t.token
	s.start()
	if _, there := s.List()[w.Ref]; there {
		t.errorf("List shows what was lost: %s", w.Ref)
	}
	found := s.strays()
	if len(found) != 1 || found[0].Status.Ref.ID != w.Ref.ID || found[0].Status.State != executor.Running {
		t.fatalf("Strays shows %+v, want %s, running", found, w.Ref)
	}
	w.wantStarts("1")
	return s, w, found[0]
}

func (s *subject) strays() []executor.Stray {
	all, err := do(s.t.ctx, s, transport.MethodStrays, transport.None{})
	s.t.must(err, "Strays")
	return all
}

func (s *subject) removeStray(stray executor.Stray) {
	_, err := do(s.t.ctx, s, transport.MethodStrayRemove, transport.StrayRequest{Ref: stray.Status.Ref, Key: stray.Key})
	s.t.must(err, "RemoveStray of %s", stray.Key)
}

func checkStrays(t *trial) {
	s, w, stray := t.lose()
	w.touch("go")
	ended := func() bool {
		left := s.strays()
		return len(left) == 0 || left[0].Status.State.Ended()
	}
	t.eventually(ended, "an end of the stray %s, which runs on", stray.Key)
	s.removeStray(stray)
}

func checkStrayAdopt(t *trial) {
	s, w, stray := t.lose()
	status, err := do(t.ctx, s, transport.MethodStrayAdopt, transport.StrayRequest{Ref: stray.Status.Ref, Key: stray.Key})
	if stray.Problem != "" {
		t.wantCode(err, "AdoptStray of one with a problem", executor.FailedPrecondition)
		if got := s.strays(); len(got) != 1 || got[0].Status.State != executor.Running {
			t.errorf("after a refused AdoptStray, Strays shows %+v", got)
		}
		s.removeStray(stray)
		return
	}
	t.must(err, "AdoptStray of %s", stray.Key)
	t.wantRunning(status, "AdoptStray")
	t.wantRunning(s.List()[w.Ref], "List after AdoptStray")
	t.wantRunning(s.restore(w), "Restore after AdoptStray")
	if got := s.strays(); len(got) != 0 {
		t.errorf("after AdoptStray, Strays shows %+v", got)
	}
	w.touch("go")
	s.wantExit(w, 7)
	s.released(w)
	w.wantStarts("1")
	t.must(s.Delete(w.Ref), "Delete of an adopted attempt")
}

func checkStrayRemove(t *trial) {
	s, w, stray := t.lose()
	s.removeStray(stray)
	s.removeStray(stray)
	if got := s.strays(); len(got) != 0 {
		t.errorf("after RemoveStray, Strays shows %+v", got)
	}
	if _, there := s.List()[w.Ref]; there {
		t.errorf("after RemoveStray, List shows %s", w.Ref)
	}
	w.wantStarts("1")
}
