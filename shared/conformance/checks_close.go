package conformance

import (
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(75, transport.MethodClose.Name,
	Check{Name: "close", Capability: executor.CapClose, run: checkClose, direct: true,
		Duty: "Close leaves workloads running, and the next executor takes them up.",
		Hint: "Close ends watches and connections, and leaves workloads alone."},
)

func checkClose(t *trial) {
	s := t.open()
	w := t.workload(s, untilGo, Step{Action: Exit, N: 7})
	first := s.create(w)
	w.awaitFile(startsFile)
	s.close()
	s.restart(w, first)
	w.touch("go")
	s.wantExit(w, 7)
	w.wantStarts("1")
}
