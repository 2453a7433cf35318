package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

var _ = register(20, transport.MethodCreate.Name,
	Check{Name: "create", run: checkCreate, first: true,
		Duty: "Create starts the workload and reports it as running, with its start time and its runtime.",
		Hint: "Return from Create only when the workload runs, with StartedAt and the Runtime that was asked for."},
	Check{Name: "create-pid", run: checkCreatePID,
		Duty: "The status of a running attempt names the workload's first process, and that of an ended one none.",
		Hint: "Set Status.PID while the workload runs: the pid of the workload, and not that of its shim or monitor. If there are no processes, or none that this machine sees, skip this check."},
	Check{Name: "create-many", run: checkCreateMany, direct: true,
		Duty: "Many workloads can be created at once, and each ends with its own exit code.",
		Hint: "The kit never runs two calls for one id at once, but those for different ids run together: guard what they share."},
	Check{Name: "create-longest-id", run: checkCreateLongestID,
		Duty: "A container's id may be as long as is allowed.",
		Hint: "Derive names of sockets, cgroups and the like from a hash where an id of 64 bytes is too long."},
	Check{Name: "create-spec", run: checkCreateSpec,
		Duty: "Create refuses a malformed spec as Invalid.",
		Hint: "Decode the spec before anything is made, and give such errors the code Invalid."},
	Check{Name: "create-command", run: checkCreateCommand,
		Duty: "Create says by its error's code that the workload's command does not exist or is not executable.",
		Hint: "Map ENOENT to CommandNotFound and EACCES to CommandNotExecutable; runtimes often report it only in the text of an error."},
	Check{Name: "create-failed", run: checkCreateFailed,
		Duty: "A Create that fails leaves nothing behind, so that the same attempt can be created once the cause is gone.",
		Hint: "Undo in reverse order whatever Create has made, under a context of its own."},
	Check{Name: "create-cancelled", run: checkCreateCancelled, direct: true,
		Duty: "A Create that is cancelled either starts nothing, or leaves a running attempt that another Create reports.",
		Hint: "Look at ctx before the start. Once the workload has begun, finish and keep it: it must not run twice."},
	Check{Name: "create-deadline", run: checkCreateDeadline, direct: true,
		Duty: "A Create that waits for the host to take a stale attempt's exit gives up at its deadline and starts nothing.",
		Hint: "Pass ctx on to Host.Exited, or wait for it beside ctx.Done."},
)

// untilGo keeps a workload running until the check makes the file "go".
var untilGo = Step{Action: Await, File: "go"}

func checkCreate(t *trial) {
	s := t.open()
	w := t.workload(s, untilGo, Step{Action: Exit, N: 7})
	before := time.Now()
	t.blocks = "no workload could be started: see the check create"
	status := s.create(w)
	t.blocks = ""
	t.wantRunning(status, "Create")
	const slack = 2 * time.Second // for clocks of other machines and of less precision
	if at := status.StartedAt; at.Before(before.Add(-slack)) || at.After(time.Now().Add(slack)) {
		t.errorf("the start time is %s, but Create ran from %s to %s", at, before, time.Now())
	}
	if status.Runtime != w.Runtime.Name {
		t.errorf("the status names the runtime %q, the workload %q", status.Runtime, w.Runtime.Name)
	}
	w.awaitFile(startsFile)
	w.touch("go")
	s.wantExit(w, 7)
}

func checkCreatePID(t *trial) {
	s := t.open()
	w := t.workload(s, untilGo)
	if status := s.create(w); status.PID <= 0 {
		t.errorf("Create: the first process is %d", status.PID)
	}
	if status := s.List()[w.Ref]; status.PID <= 0 {
		t.errorf("List: the first process is %d", status.PID)
	}
	w.touch("go")
	s.exited(w)
	if status := s.List()[w.Ref]; status.PID != 0 {
		t.errorf("List after the end: the first process is %d, want 0", status.PID)
	}
	checkOwnPID(t, s)
}

// checkOwnPID compares the pid that a workload has for itself with what the kernel says of the
// one that the executor names.
func checkOwnPID(t *trial, s *subject) {
	w := t.workload(s, Step{Action: PID, Stream: "stdout"}, untilGo)
	status := s.create(w)
	t.eventually(func() bool {
		return strings.HasSuffix(w.read(w.stdout), "\n") || s.List()[w.Ref].State.Ended()
	}, "the pid of the workload %s", w.Ref)
	own := strings.TrimSpace(w.read(w.stdout))
	if seen := innermostPID(status.PID); own != "" && seen != own { // programs of an older suite do not say it
		t.errorf("Create names the process %d, which is %q to itself, and the workload is %s to itself", status.PID, seen, own)
	}
	w.touch("go")
	s.exited(w)
}

// innermostPID returns the pid that a process of this machine has in its own pid namespace, ""
// if there is no such process.
func innermostPID(pid int) string {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	for line := range strings.Lines(string(text)) {
		if pids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			all := strings.Fields(pids)
			return all[len(all)-1]
		}
	}
	return ""
}

func checkCreateMany(t *trial) {
	s := t.open()
	var workloads []*workload
	for i := range t.target.Workloads {
		workloads = append(workloads, t.workload(s, untilGo, Step{Action: Exit, N: i % 256}))
	}
	var wg sync.WaitGroup
	for _, w := range workloads {
		wg.Go(func() {
			if _, err := s.Create(t.ctx, w.Workload); err != nil {
				t.errorf("Create of %s, with %d others: %s", w.Ref, len(workloads)-1, describe(err))
			}
		})
	}
	wg.Wait()
	if len(t.reasons) > 0 {
		t.fatalf("not all workloads were created")
	}
	listed := s.List()
	for _, w := range workloads {
		t.wantRunning(listed[w.Ref], "List of "+w.Ref.String())
		w.touch("go")
	}
	for i, w := range workloads {
		s.wantExit(w, i%256)
		w.wantStarts("1")
	}
}

func checkCreateLongestID(t *trial) {
	s := t.open()
	short := t.workload(s)
	ref := short.Ref
	ref.ID += "-" + strings.Repeat("x", executor.MaxIDLength-len(ref.ID)-1)
	w := t.prepareWorkload(s, ref, short.scratch, []Step{untilGo, {Action: Print, Stream: "stdout", Text: "out"}, {Action: Exit, N: 7}})
	t.wantRunning(s.create(w), "Create")
	w.touch("go")
	s.wantExit(w, 7)
	s.released(w)
	w.wantOutput(w.stdout, "stdout", "out\n")
	t.must(s.Delete(w.Ref), "Delete")
}

func checkCreateSpec(t *trial) {
	s := t.open()
	for _, spec := range []string{"", "{", "[]", "7", "{}", `{"process":7}`, `{"process":{"args":[]}}`, `{"process":{"args":"true"}}`} {
		w := t.workload(s)
		w.Spec = json.RawMessage(spec)
		_, err := s.Create(t.ctx, w.Workload)
		t.wantCode(err, "Create with the spec "+spec, executor.Invalid)
	}
	if listed := s.List(); len(listed) > 0 {
		t.errorf("List shows %d attempts after none was created", len(listed))
	}
}

func checkCreateCommand(t *trial) {
	s := t.open()
	missing := t.workload(s, Step{Action: Exec, File: "command"})
	_, err := s.Create(t.ctx, missing.Workload)
	t.wantCode(err, "Create with a command that does not exist", executor.CommandNotFound)

	plain := t.workload(s, Step{Action: Exec, File: "command"})
	plain.touch("command")
	_, err = s.Create(t.ctx, plain.Workload)
	t.wantCode(err, "Create with a command that is not executable", executor.CommandNotExecutable)
}

func checkCreateFailed(t *trial) {
	s := t.open()
	w := t.workload(s, Step{Action: Exec, File: "command"})
	if status, err := s.Create(t.ctx, w.Workload); err == nil {
		t.fatalf("Create with a command that does not exist: no error, but the state %q", status.State)
	}
	s.wantUnknown(w.Ref, "after Create failed")
	if err := s.Delete(w.Ref); err != nil {
		t.errorf("after Create failed, Delete: %s", describe(err))
	}

	again := t.prepareWorkload(s, w.Ref, w.scratch, []Step{untilGo, {Action: Exit, N: 3}})
	t.wantRunning(s.create(again), "Create of the same attempt with a command that exists")
	again.touch("go")
	s.wantExit(again, 3)
	again.wantStarts("1")
}

func checkCreateCancelled(t *trial) {
	s := t.open()
	begin := time.Now()
	first := s.launch(untilGo)
	took := time.Since(begin)
	first.touch("go")

	const moments = 6 // from at once to when Create is done
	for i := range moments {
		w := t.workload(s, untilGo, Step{Action: Exit, N: 7})
		ctx, cancel := context.WithCancel(t.ctx)
		switch i {
		case 0:
			cancel()
		case moments - 1: // after Create
		default:
			time.AfterFunc(took*time.Duration(i)/moments, cancel)
		}
		_, createErr := s.Create(ctx, w.Workload)
		cancel()
		t.afterCancelledCreate(s, w, createErr)
		w.touch("go")
		s.wantExit(w, 7)
	}
}

// afterCancelledCreate checks what a cancelled Create has left, and creates again.
func (t *trial) afterCancelledCreate(s *subject, w *workload, createErr error) {
	var status executor.Status
	var known bool
	t.eventually(func() bool { // over a wire the call may outlive its caller
		var err error
		status, err = s.Restore(w.Ref, w.Stdio)
		if known = err == nil; !known && executor.CodeOf(err) != executor.NotFound {
			t.fatalf("Restore after a cancelled Create: %s", describe(err))
		}
		_, listed := s.List()[w.Ref]
		return known == listed
	}, "an agreement of Restore and List about %s, whose Create was cancelled,", w.Ref)
	switch {
	case known && createErr != nil && t.mode == Direct:
		t.errorf("Create failed with %s, yet the attempt is known", describe(createErr))
	case !known && createErr == nil:
		t.errorf("Create succeeded, yet the attempt is unknown")
	case known:
		t.wantRunning(status, "Restore after a cancelled Create")
	}
	again := s.create(w)
	t.wantRunning(again, "Create after a cancelled one")
	if known {
		t.wantSameStart(again, status, "Create after a cancelled one")
	}
	w.awaitFile(startsFile)
	w.wantStarts("1")
}

func checkCreateDeadline(t *trial) {
	s := t.open()
	release := s.host.block()
	defer release()
	stale := s.launch(Step{Action: Exit, N: 3})
	s.await(exitCalled, stale.Ref)

	w := stale.next(s, untilGo)
	ctx, cancel := context.WithTimeout(t.ctx, min(250*time.Millisecond, t.target.Patience/4))
	defer cancel()
	if _, err := s.Create(ctx, w.Workload); !errors.Is(err, context.DeadlineExceeded) {
		t.errorf("Create of %s while the host does not take the exit of %s: got %s, want an error that is context.DeadlineExceeded", w.Ref, stale.Ref, describe(err))
	}
	// The plugin kit lets this wait until the executor's own Create has returned.
	status, err := s.Restore(stale.Ref, stale.Stdio)
	t.must(err, "Restore of %s, whose exit the host has not taken", stale.Ref)
	t.wantCodeOf(status, "Restore of "+stale.Ref.String(), 3)
	s.wantUnknown(w.Ref, "after Create gave up")
	stale.wantStarts("1")

	release()
	t.wantRunning(s.create(w), "Create once the host has taken the stale exit")
	if _, at := s.host.find(exitTaken, stale.Ref); at < 0 {
		t.errorf("Create of %s returned before the exit of %s was handed over", w.Ref, stale.Ref)
	}
	w.awaitFile(startsFile)
	w.touch("go")
	s.wantExit(w, 0)
}
