package conformance

import (
	"slices"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(150, transport.MethodStats.Name,
	Check{Name: "stats", Capability: executor.CapStats, run: checkStats,
		Duty: "Stats has the workload's first process among the pids, the time at which it was measured, and processor time that never shrinks.",
		Hint: "Measure during the call, and count processes that have ended."},
	Check{Name: "stats-ended", Capability: executor.CapStats, run: checkStatsEnded,
		Duty: "Stats of an attempt that has ended is FailedPrecondition, of an unknown one NotFound.",
		Hint: "An attempt that has ended is known until Delete."},
)

func checkStats(t *trial) {
	s := t.open()
	w := s.launch(pausable...)
	w.awaitFile("ready")
	pid := s.List()[w.Ref].PID
	var before executor.Stats
	for _, when := range []string{"Stats", "Stats, repeated"} {
		began := time.Now()
		stats, err := do(t.ctx, s, transport.MethodStats, w.Ref)
		t.must(err, "%s of %s", when, w.Ref)
		// Clocks of one machine agree, but for what rounding takes.
		if stats.At.Before(began.Add(-time.Second)) || stats.At.After(time.Now().Add(time.Second)) {
			t.errorf("%s: measured at %s, want during the call, at %s", when, stats.At, began)
		}
		if pid != 0 && !slices.Contains(stats.PIDs, pid) {
			t.errorf("%s: the pids %v lack the first process, %d", when, stats.PIDs, pid)
		}
		if before.CPU != nil && (stats.CPU == nil || *stats.CPU < *before.CPU) {
			t.errorf("%s: the processor time was %s, and is %v", when, *before.CPU, stats.CPU)
		}
		before = stats
	}
	w.touch("go")
	s.wantExit(w, 7)
}

func checkStatsEnded(t *trial) {
	s := t.open()
	unknown := t.workload(s, untilGo)
	w := s.launch(Step{Action: Exit, N: 7})
	s.released(w)
	_, err := do(t.ctx, s, transport.MethodStats, w.Ref)
	t.wantCode(err, "stats of what has ended", executor.FailedPrecondition)
	_, err = do(t.ctx, s, transport.MethodStats, unknown.Ref)
	t.wantCode(err, "stats of an unknown container", executor.NotFound)
}
