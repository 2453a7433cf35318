package conformance

import (
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(130, transport.MethodCheck.Name,
	Check{Name: "check", Capability: executor.CapCheck, run: checkCheck,
		Duty: "Check finds no error on a system on which workloads run.",
		Hint: "Report as errors only what keeps workloads from running."},
)

func checkCheck(t *trial) {
	s := t.open()
	diags, err := do(t.ctx, s, transport.MethodCheck, transport.None{})
	t.must(err, "Check")
	t.checkDiagnostics("Check", diags)
	w := s.launch(Step{Action: Exit, N: 0})
	s.wantExit(w, 0)
	for _, d := range diags {
		if d.Severity == executor.SeverityError {
			t.errorf("a workload ran, yet Check says that the backend cannot be used: %s", d.Message)
		}
	}
}
