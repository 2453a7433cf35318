package containerd

import (
	"testing"

	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

func TestClassify(t *testing.T) {
	const boot = "this boot"
	ref := executor.Ref{ID: "a", Attempt: 1}
	task := func(s tasktypes.Status) *tasktypes.Process { return &tasktypes.Process{Status: s, ExitStatus: 137} }
	code := 3
	tests := []struct {
		name    string
		record  record
		task    *tasktypes.Process
		started bool
		want    lifecycle.Phase
		source  executor.Provenance
	}{
		{"no task and no mark", record{boot: boot}, nil, false, lifecycle.NeverRan, executor.Lost},
		{"killed by an undo before its start", record{boot: boot}, task(tasktypes.Status_STOPPED), false, lifecycle.NeverRan, executor.Lost},
		{"waits for its start", record{boot: boot}, task(tasktypes.Status_CREATED), true, lifecycle.Created, ""},
		{"waits and was not to be started", record{boot: boot}, task(tasktypes.Status_CREATED), false, lifecycle.NeverRan, ""},
		{"runs", record{boot: boot}, task(tasktypes.Status_RUNNING), true, lifecycle.Running, ""},
		{"ended", record{boot: boot}, task(tasktypes.Status_STOPPED), true, lifecycle.Ended, executor.Recovered},
		{"task gone after its start", record{boot: boot}, nil, true, lifecycle.Ended, executor.Lost},
		{"rebooted", record{boot: "another"}, nil, true, lifecycle.Ended, executor.Lost},
		{"exit in the record", record{boot: boot, exit: &executor.Exit{Code: &code, Source: executor.Observed}}, nil, false, lifecycle.Ended, executor.Observed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.record.ref = ref
			st, got := classify(tt.record, tt.task, mark{}, tt.started, boot)
			if got != tt.want {
				t.Errorf("got phase %d, want %d", got, tt.want)
			}
			if source := func() executor.Provenance {
				if st.Exit == nil {
					return ""
				}
				return st.Exit.Source
			}(); source != tt.source {
				t.Errorf("got an exit from %q, want %q", source, tt.source)
			}
		})
	}
}
