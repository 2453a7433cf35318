package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/conformance/memory"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// broken is a memory executor that neglects one duty.
type broken struct {
	name string
	// fails are the checks that must fail. No other may, except for those in may, which
	// fail or not by what comes first.
	fails, may []string
	// One of these is the fault: of the program, the backend, the kit, or of calls of
	// methods. A fault of the kit is tested over a connection, the others directly.
	program func(*executor.Executor)
	backend func(*faulty)
	kit     alter
	call    intercept
	// Mode replaces the one that is implied.
	mode Mode
}

// errorAs returns err with the code to in place of from, or nil if to is "".
func errorAs(err error, from, to executor.Code) error {
	switch {
	case executor.CodeOf(err) != from:
		return err
	case to == "":
		return nil
	}
	return executor.Errorf(to, "%w", err)
}

var brokenExecutors = []broken{
	{name: "cannot be opened", fails: []string{"open"}, program: func(e *executor.Executor) {
		e.Open = func(context.Context, executor.Environment, executor.Host) (executor.Backend, error) {
			return nil, executor.Errorf(executor.Unavailable, "there is no daemon")
		}
	}},
	{name: "hangs while it is opened", fails: []string{"open"}, program: func(e *executor.Executor) {
		e.Open = func(context.Context, executor.Environment, executor.Host) (executor.Backend, error) { select {} }
	}},
	{name: "declares an attribute of unknown type", fails: []string{"describe"}, program: func(e *executor.Executor) {
		e.Config.Attributes = append(e.Config.Attributes, executor.Attribute{Name: "speed", Type: "float"})
	}},
	{name: "opens upgrades that it does not promise", fails: []string{"describe"}, program: func(e *executor.Executor) {
		e.Prototype = struct {
			executor.Backend
			executor.Checker
		}{}
	}},
	{name: "validates nothing", fails: []string{"validate"}, program: func(e *executor.Executor) { e.Validate = nil }},
	{name: "refuses good settings", fails: []string{"validate"}, program: func(e *executor.Executor) {
		e.Validate = func(executor.Settings) []executor.Diagnostic {
			return []executor.Diagnostic{{Severity: executor.SeverityError, Path: []string{"config"}, Message: "no"}}
		}
	}},

	{name: "does not know when a workload started", fails: []string{"create"}, backend: func(f *faulty) {
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			status, err := f.complete.Create(ctx, w)
			status.StartedAt = time.Time{}
			return status, err
		}
	}},
	{name: "starts nothing", fails: []string{"create"}, backend: func(f *faulty) {
		f.create = func(context.Context, executor.Workload) (executor.Status, error) {
			return executor.Status{}, executor.Errorf(executor.Unavailable, "not today")
		}
	}},
	{name: "has no pids", fails: []string{"create-pid"}, backend: func(*faulty) {}},
	{name: "takes one Create at a time", fails: []string{"create-many", "concurrent", "create-waiting"}, backend: func(f *faulty) {
		var busy atomic.Bool
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			if !busy.CompareAndSwap(false, true) {
				return executor.Status{}, executor.Errorf(executor.Unavailable, "busy")
			}
			defer busy.Store(false)
			time.Sleep(20 * time.Millisecond)
			return f.complete.Create(ctx, w)
		}
	}},
	{name: "refuses long ids", fails: []string{"create-longest-id"}, backend: func(f *faulty) {
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			if len(w.Ref.ID) > 32 {
				return executor.Status{}, executor.Errorf(executor.Invalid, "the name of the socket is too long")
			}
			return f.complete.Create(ctx, w)
		}
	}},
	{name: "returns no code for a bad spec", fails: []string{"create-spec"}, backend: func(f *faulty) {
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			status, err := f.complete.Create(ctx, w)
			return status, errorAs(err, executor.Invalid, executor.Internal)
		}
	}},
	{name: "returns no code for a missing command", fails: []string{"create-command"}, backend: func(f *faulty) {
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			status, err := f.complete.Create(ctx, w)
			return status, errorAs(err, executor.CommandNotFound, executor.Internal)
		}
	}},
	{name: "leaves a container behind when Create fails", fails: []string{"create-failed"}, backend: func(f *faulty) {
		var ghosts ghosts
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			status, err := f.complete.Create(ctx, w)
			if executor.CodeOf(err) == executor.CommandNotFound {
				ghosts.add(executor.Status{Ref: w.Ref, State: executor.Running})
			}
			return status, err
		}
		ghosts.haunt(f)
	}},
	{name: "starts although it was cancelled", fails: []string{"create-cancelled"}, backend: func(f *faulty) {
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			if !errors.Is(ctx.Err(), context.Canceled) {
				return f.complete.Create(ctx, w)
			}
			_, err := f.complete.Create(context.WithoutCancel(ctx), w)
			return executor.Status{}, errors.Join(ctx.Err(), err)
		}
	}},
	{name: "undoes what has begun when it is cancelled", fails: []string{"create-cancelled"}, backend: func(f *faulty) {
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			if !errors.Is(ctx.Err(), context.Canceled) {
				return f.complete.Create(ctx, w)
			}
			ctx = context.WithoutCancel(ctx)
			_, err := f.complete.Create(ctx, w)
			time.Sleep(50 * time.Millisecond) // it runs for a moment
			err = errors.Join(err, f.complete.Signal(ctx, w.Ref, syscall.SIGKILL))
			for err == nil {
				if have, known := f.find(ctx, w.Ref.ID); !known || have.State.Ended() {
					break
				}
				time.Sleep(time.Millisecond)
			}
			return executor.Status{}, errors.Join(context.Canceled, err, f.complete.Delete(ctx, w.Ref))
		}
	}},
	{name: "ignores its deadline", fails: []string{"create-deadline"}, backend: func(f *faulty) {
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			return f.complete.Create(context.WithoutCancel(ctx), w)
		}
	}},

	{name: "starts again what runs", mode: Connected, backend: func(f *faulty) {
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			have, known := f.find(ctx, w.Ref.ID)
			status, err := f.complete.Create(ctx, w)
			if known && err == nil && have.Ref == w.Ref && !have.State.Ended() {
				second := w
				second.Ref.ID += "-again"
				again, err := f.complete.Create(ctx, second)
				status.StartedAt = again.StartedAt
				return status, err
			}
			return status, err
		}
	}, fails: []string{"create-cancelled", "again-running", "again-at-once", "restart-again"}},
	{name: "starts again what has ended", fails: []string{"again-ended", "exit-kept", "restart-again"}, backend: func(f *faulty) {
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			if have, known := f.find(ctx, w.Ref.ID); known && have.Ref == w.Ref && have.State.Ended() {
				_ = f.complete.Delete(ctx, w.Ref)
			}
			return f.complete.Create(ctx, w)
		}
	}},
	{name: "has the wrong code for a running older attempt", fails: []string{"newer-running"}, backend: func(f *faulty) {
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			status, err := f.complete.Create(ctx, w)
			return status, errorAs(err, executor.AlreadyExists, executor.FailedPrecondition)
		}
	}},
	{name: "does not remove the stale attempt", fails: []string{"newer-ended"}, backend: func(f *faulty) {
		var ghosts ghosts
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			have, known := f.find(ctx, w.Ref.ID)
			status, err := f.complete.Create(ctx, w)
			if known && err == nil && have.Ref != w.Ref {
				ghosts.add(have)
			}
			return status, err
		}
		ghosts.haunt(f)
	}},
	{name: "has the wrong code for an older attempt", fails: []string{"older"}, backend: func(f *faulty) {
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			status, err := f.complete.Create(ctx, w)
			return status, errorAs(err, executor.FailedPrecondition, executor.AlreadyExists)
		}
	}},

	{name: "reports code 255 as 127", fails: []string{"exit-code"}, backend: func(f *faulty) {
		f.host.exited = func(ctx context.Context, status executor.Status) error {
			return f.host.Host.Exited(ctx, withCode(status, 255, 127))
		}
	}},
	{name: "takes every exit for recovered", fails: []string{"exit-code", "restart-running"}, backend: func(f *faulty) {
		f.host.exited = func(ctx context.Context, status executor.Status) error {
			status.Exit.Source = executor.Recovered
			return f.host.Host.Exited(ctx, status)
		}
	}},
	{name: "reports a death by signal 9 as code 9", fails: []string{"exit-signal", "signal-ignored"}, backend: func(f *faulty) {
		f.host.exited = func(ctx context.Context, status executor.Status) error {
			return f.host.Host.Exited(ctx, withCode(status, 137, 9))
		}
	}},
	{name: "calls Released first", fails: []string{"exit-before-released", "exit-kept", "exit-refused"}, backend: func(f *faulty) {
		f.host.exited = func(ctx context.Context, status executor.Status) error {
			_ = f.host.Host.Released(ctx, status.Ref, executor.Complete)
			return f.host.Host.Exited(ctx, status)
		}
	}},
	{name: "shows nothing that has an unanswered exit", fails: []string{"exit-kept"}, backend: func(f *faulty) {
		var unanswered sync.Map
		f.host.exited = func(ctx context.Context, status executor.Status) error {
			unanswered.Store(status.Ref, true)
			defer unanswered.Delete(status.Ref)
			return f.host.Host.Exited(ctx, status)
		}
		f.list = func(ctx context.Context) ([]executor.Status, error) {
			all, err := f.complete.List(ctx)
			return slices.DeleteFunc(all, func(s executor.Status) bool { _, hide := unanswered.Load(s.Ref); return hide }), err
		}
	}},
	{name: "takes a failure of the host for an answer", fails: []string{"exit-failing-host"}, kit: func(c *altered) {
		if c.method == transport.MethodExited.Name && executor.CodeOf(c.err) == executor.Internal {
			c.err = nil
		}
	}},
	{name: "takes a refusal for an answer", fails: []string{"exit-refused"}, backend: func(f *faulty) {
		f.host.exited = func(ctx context.Context, status executor.Status) error {
			return errorAs(f.host.Host.Exited(ctx, status), executor.NotFound, "")
		}
	}},
	{name: "hands over once more with each Restore", fails: []string{"exit-once"}, backend: func(f *faulty) {
		f.restore = func(ctx context.Context, ref executor.Ref, stdio executor.Stdio) (executor.Status, error) {
			status, err := f.complete.Restore(ctx, ref, stdio)
			if status.State == executor.Released && f.hasSeen(ref) {
				status.State = executor.Exited
				_ = f.host.Host.Exited(ctx, status)
				status.State = executor.Released
			}
			return status, err
		}
	}},
	// Whether it looks while there is no host depends on when it notices the end.
	{name: "does not wait for a host", fails: []string{"exit-dying-host"}, may: []string{"exit-next-host"}, backend: func(f *faulty) {
		f.host.exited = func(ctx context.Context, status executor.Status) error {
			p := f.host.Host.(*port)
			p.mu.Lock()
			host, changed := p.host, p.changed
			p.mu.Unlock()
			if host == nil {
				return executor.Errorf(executor.Unavailable, "there is no host")
			}
			return p.try(ctx, changed, host, func(ctx context.Context, host *testHost) error { return host.Exited(ctx, status) })
		}
	}},
	{name: "reports to the host that asked for the start alone", fails: []string{"exit-next-host"}, backend: func(f *faulty) {
		var asked sync.Map // hosts by ref
		now := func() *testHost {
			p := f.host.Host.(*port)
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.host
		}
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			asked.Store(w.Ref, now())
			return f.complete.Create(ctx, w)
		}
		f.host.exited = func(ctx context.Context, status executor.Status) error {
			if host, known := asked.Load(status.Ref); known && host != now() {
				return executor.Errorf(executor.Unavailable, "the host has gone")
			}
			return f.host.Host.Exited(ctx, status)
		}
	}},

	{name: "merges the streams", fails: []string{"output-apart"}, backend: func(f *faulty) {
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			w.Stdio.Stderr = w.Stdio.Stdout
			return f.complete.Create(ctx, w)
		}
	}},
	{name: "drops one of two merged streams", fails: []string{"output-merged", "output-order"}, backend: func(f *faulty) {
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			if w.Stdio.Stderr == w.Stdio.Stdout {
				w.Stdio.Stderr = executor.Stream{}
			}
			return f.complete.Create(ctx, w)
		}
	}},
	{name: "appends stderr to stdout at the end", fails: []string{"output-order"}, backend: func(f *faulty) {
		var streams sync.Map
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			if path := w.Stdio.Stdout.Path; path != "" && w.Stdio.Stderr.Path == path {
				streams.Store(w.Ref, path)
				w.Stdio.Stderr.Path = path + ".late"
				_ = os.WriteFile(w.Stdio.Stderr.Path, nil, 0o600)
			}
			return f.complete.Create(ctx, w)
		}
		f.host.exited = func(ctx context.Context, status executor.Status) error {
			if path, ok := streams.Load(status.Ref); ok {
				early, _ := os.ReadFile(path.(string))
				late, _ := os.ReadFile(path.(string) + ".late")
				_ = os.WriteFile(path.(string), append(early, late...), 0o600)
			}
			return f.host.Host.Exited(ctx, status)
		}
	}},
	{name: "truncates the output files", fails: []string{"output-appended"}, backend: func(f *faulty) {
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			_ = os.Truncate(w.Stdio.Stdout.Path, 0)
			return f.complete.Create(ctx, w)
		}
	}},
	{name: "needs output files", fails: []string{"output-null"}, backend: func(f *faulty) {
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			if w.Stdio.Stdout.Kind == executor.StreamNull {
				return executor.Status{}, executor.Errorf(executor.Invalid, "no stdout")
			}
			return f.complete.Create(ctx, w)
		}
	}},
	{name: "loses the end of big output", fails: []string{"output-big"}, backend: func(f *faulty) {
		var streams sync.Map
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			streams.Store(w.Ref, w.Stdio.Stdout.Path)
			return f.complete.Create(ctx, w)
		}
		f.host.released = func(ctx context.Context, ref executor.Ref, output executor.Output) error {
			path, _ := streams.Load(ref)
			if info, err := os.Stat(fmt.Sprint(path)); err == nil && info.Size() > 4096 {
				_ = os.Truncate(path.(string), 4096)
			}
			return f.host.Host.Released(ctx, ref, output)
		}
	}},
	{name: "never says that output is complete", backend: func(f *faulty) {
		f.host.released = func(ctx context.Context, ref executor.Ref, _ executor.Output) error {
			return f.host.Host.Released(ctx, ref, executor.Truncated)
		}
	}, fails: []string{"output-apart", "output-merged", "output-order", "output-appended", "output-big"}},

	{name: "restores a running attempt as a new start", backend: func(f *faulty) {
		f.restore = func(ctx context.Context, ref executor.Ref, stdio executor.Stdio) (executor.Status, error) {
			status, err := f.complete.Restore(ctx, ref, stdio)
			if status.State == executor.Running {
				status.StartedAt = time.Now()
			}
			return status, err
		}
	}, fails: []string{"create-cancelled", "restore-running", "restart-running", "close"}},
	// After a restart it depends on whether the end was released before the Restore.
	{name: "has forgotten what was released", fails: []string{"restore-ended"}, may: []string{"restart-ended"}, backend: func(f *faulty) {
		f.restore = func(ctx context.Context, ref executor.Ref, stdio executor.Stdio) (executor.Status, error) {
			status, err := f.complete.Restore(ctx, ref, stdio)
			if status.State == executor.Released {
				return executor.Status{}, executor.Errorf(executor.NotFound, "gone")
			}
			return status, err
		}
	}},
	{name: "restores another attempt", fails: []string{"restore-unknown"}, backend: func(f *faulty) {
		f.restore = func(ctx context.Context, ref executor.Ref, stdio executor.Stdio) (executor.Status, error) {
			status, err := f.complete.Restore(ctx, ref, stdio)
			if have, known := f.find(ctx, ref.ID); err != nil && known && !have.State.Ended() && have.Ref.Attempt < ref.Attempt {
				have.Ref = ref
				return have, nil
			}
			return status, err
		}
	}},
	{name: "watches once more with each Restore", fails: []string{"restore-twice"}, backend: func(f *faulty) {
		var mu sync.Mutex
		watches := map[executor.Ref]int{}
		f.restore = func(ctx context.Context, ref executor.Ref, stdio executor.Stdio) (executor.Status, error) {
			mu.Lock()
			watches[ref]++
			mu.Unlock()
			return f.complete.Restore(ctx, ref, stdio)
		}
		f.host.exited = func(ctx context.Context, status executor.Status) error {
			mu.Lock()
			n := watches[status.Ref]
			mu.Unlock()
			for range n {
				if err := f.host.Host.Exited(ctx, status); err != nil {
					return err
				}
			}
			return f.host.Host.Exited(ctx, status)
		}
	}},

	{name: "kills its workloads when it ends", backend: func(f *faulty) {
		f.close = func(ctx context.Context) error {
			all, _ := f.complete.List(ctx)
			for _, s := range all {
				_ = f.complete.Signal(ctx, s.Ref, syscall.SIGKILL)
			}
			return f.complete.Close(ctx)
		}
	}, fails: []string{"restart-running", "restart-ended", "restart-again", "restart-newer", "restart-many", "close"}},
	{name: "takes an exit in its absence for lost", fails: []string{"restart-ended"}, backend: func(f *faulty) {
		f.host.exited = func(ctx context.Context, status executor.Status) error {
			if status.Exit.Source == executor.Recovered && *status.Exit.Code == 7 {
				status.Exit.Source = executor.Observed
			}
			return f.host.Host.Exited(ctx, status)
		}
	}},
	{name: "deletes before the exit is answered", fails: []string{"restart-unanswered"}, backend: func(f *faulty) {
		f.close = func(ctx context.Context) error {
			all, _ := f.complete.List(ctx)
			for _, s := range all {
				if s.State == executor.Exited {
					_ = f.complete.Delete(ctx, s.Ref)
				}
			}
			return f.complete.Close(ctx)
		}
	}},
	{name: "starts again what an earlier process has started", fails: []string{"restart-again"}, backend: func(f *faulty) {
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			if have, known := f.find(ctx, w.Ref.ID); known && have.Ref == w.Ref && have.State.Ended() && !f.hasSeen(w.Ref) {
				_ = f.complete.Delete(ctx, w.Ref)
			}
			return f.complete.Create(ctx, w)
		}
	}},
	{name: "drops the stale exit of an earlier process", fails: []string{"restart-newer"}, backend: func(f *faulty) {
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			if have, known := f.find(ctx, w.Ref.ID); known && have.Ref.Attempt < w.Ref.Attempt && !f.hasSeen(have.Ref) {
				_ = f.complete.Delete(ctx, have.Ref)
			}
			return f.complete.Create(ctx, w)
		}
	}},
	{name: "takes the time of its own start for the end", fails: []string{"restart-same"}, backend: func(f *faulty) {
		f.host.exited = func(ctx context.Context, status executor.Status) error {
			if status.Exit.Source == executor.Recovered {
				status.Exit.At = time.Now()
			}
			return f.host.Host.Exited(ctx, status)
		}
	}},
	{name: "finds only three again", fails: []string{"restart-many"}, backend: func(f *faulty) {
		f.list = func(ctx context.Context) ([]executor.Status, error) {
			all, err := f.complete.List(ctx)
			if slices.ContainsFunc(all, func(s executor.Status) bool { return !f.hasSeen(s.Ref) }) {
				all = all[:min(3, len(all))]
			}
			return all, err
		}
	}},
	{name: "fails to close", fails: []string{"close"}, backend: func(f *faulty) {
		f.close = func(ctx context.Context) error {
			return errors.Join(f.complete.Close(ctx), errors.New("the door is stuck"))
		}
	}},

	{name: "lists no runtimes of workloads", fails: []string{"list"}, backend: func(f *faulty) {
		f.list = func(ctx context.Context) ([]executor.Status, error) {
			all, err := f.complete.List(ctx)
			for i := range all {
				all[i].Runtime = ""
			}
			return all, err
		}
	}},
	{name: "lists what others own", fails: []string{"list-ours"}, program: func(e *executor.Executor) {
		var all sync.Map // of open backends
		*e = withFault(*e, func(f *faulty) {
			all.Store(f, true)
			f.close = func(ctx context.Context) error {
				all.Delete(f)
				return f.complete.Close(ctx)
			}
			f.list = func(ctx context.Context) ([]executor.Status, error) {
				var union []executor.Status
				all.Range(func(other, _ any) bool {
					theirs, _ := other.(*faulty).complete.List(ctx)
					union = append(union, theirs...)
					return true
				})
				return union, nil
			}
		})
	}},

	{name: "drops SIGTERM", fails: []string{"signal"}, backend: func(f *faulty) {
		f.signal = func(ctx context.Context, ref executor.Ref, sig executor.Signal) error {
			if have, known := f.find(ctx, ref.ID); sig == syscall.SIGTERM && known && have.State == executor.Running {
				return nil
			}
			return f.complete.Signal(ctx, ref, sig)
		}
	}},
	{name: "kills in place of every signal", fails: []string{"signal", "signal-ignored"}, backend: func(f *faulty) {
		f.signal = func(ctx context.Context, ref executor.Ref, _ executor.Signal) error {
			return f.complete.Signal(ctx, ref, syscall.SIGKILL)
		}
	}},
	{name: "has the wrong code for a signal to nobody", fails: []string{"list-ours", "signal-unknown"}, backend: func(f *faulty) {
		f.signal = func(ctx context.Context, ref executor.Ref, sig executor.Signal) error {
			return errorAs(f.complete.Signal(ctx, ref, sig), executor.NotFound, executor.FailedPrecondition)
		}
	}},
	{name: "signals what has ended without an error", fails: []string{"signal-ended"}, backend: func(f *faulty) {
		f.signal = func(ctx context.Context, ref executor.Ref, sig executor.Signal) error {
			return errorAs(f.complete.Signal(ctx, ref, sig), executor.FailedPrecondition, "")
		}
	}},

	{name: "deletes only when asked twice", fails: []string{"delete"}, backend: func(f *faulty) {
		var asked sync.Map
		f.remove = func(ctx context.Context, ref executor.Ref) error {
			if have, known := f.find(ctx, ref.ID); known && have.State.Ended() {
				if _, again := asked.LoadOrStore(ref, true); !again {
					return nil
				}
			}
			return f.complete.Delete(ctx, ref)
		}
	}},
	{name: "deletes what runs", fails: []string{"delete-running"}, backend: func(f *faulty) {
		f.remove = func(ctx context.Context, ref executor.Ref) error {
			if executor.CodeOf(f.complete.Delete(ctx, ref)) == executor.FailedPrecondition {
				_ = f.complete.Signal(ctx, ref, syscall.SIGKILL)
			}
			return nil
		}
	}},
	{name: "deletes only what was answered", fails: []string{"delete-unanswered"}, backend: func(f *faulty) {
		var unanswered sync.Map
		f.host.exited = func(ctx context.Context, status executor.Status) error {
			unanswered.Store(status.Ref, true)
			defer unanswered.Delete(status.Ref)
			return f.host.Host.Exited(ctx, status)
		}
		f.remove = func(ctx context.Context, ref executor.Ref) error {
			if _, waits := unanswered.Load(ref); waits {
				return executor.Errorf(executor.FailedPrecondition, "%s: the host does not answer", ref)
			}
			return f.complete.Delete(ctx, ref)
		}
	}},
	{name: "cannot delete what is unknown", fails: []string{"create-failed", "list-ours", "delete-unknown"}, backend: func(f *faulty) {
		f.remove = func(ctx context.Context, ref executor.Ref) error {
			if have, known := f.find(ctx, ref.ID); !known || have.Ref != ref {
				return executor.Errorf(executor.NotFound, "no %s", ref)
			}
			return f.complete.Delete(ctx, ref)
		}
	}},

	{name: "cannot list while it creates", fails: []string{"concurrent"}, backend: func(f *faulty) {
		var creating atomic.Int64
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			creating.Add(1)
			defer creating.Add(-1)
			return f.complete.Create(ctx, w)
		}
		f.list = func(ctx context.Context) ([]executor.Status, error) {
			if creating.Load() > 0 {
				return nil, executor.Errorf(executor.Unavailable, "busy")
			}
			return f.complete.List(ctx)
		}
	}},
	{name: "has one lock for all containers", fails: []string{"create-waiting"}, backend: func(f *faulty) {
		var all sync.Mutex
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			all.Lock()
			defer all.Unlock()
			return f.complete.Create(ctx, w)
		}
	}},

	{name: "resolves a runtime differently each time", fails: []string{"runtime-resolve"}, backend: func(f *faulty) {
		var n atomic.Int64
		f.resolve = func(ctx context.Context, name string) (executor.Runtime, error) {
			rt, err := f.complete.ResolveRuntime(ctx, name)
			if err == nil {
				rt.Resolved = json.RawMessage(fmt.Sprintf(`{"n":%d}`, n.Add(1)))
			}
			return rt, err
		}
	}},
	{name: "runs an unknown runtime as the default", fails: []string{"runtime-unknown"}, backend: func(f *faulty) {
		f.create = func(ctx context.Context, w executor.Workload) (executor.Status, error) {
			w.Runtime.Resolved = json.RawMessage(`{}`)
			return f.complete.Create(ctx, w)
		}
	}},
	{name: "lists a broken runtime as sound", fails: []string{"runtime-list"}, backend: func(f *faulty) {
		f.runtimes = func(ctx context.Context) ([]executor.RuntimeInfo, error) {
			infos, err := f.complete.Runtimes(ctx)
			for i := range infos {
				infos[i].Problem = ""
			}
			return infos, err
		}
	}},
	{name: "finds errors where there are none", fails: []string{"check"}, backend: func(f *faulty) {
		f.check = func(context.Context) ([]executor.Diagnostic, error) {
			return []executor.Diagnostic{{Severity: executor.SeverityError, Message: "the moon is full"}}, nil
		}
	}},
	{name: "panics", fails: []string{"check"}, backend: func(f *faulty) {
		f.check = func(context.Context) ([]executor.Diagnostic, error) { panic("boom") }
	}},
	{name: "hangs", fails: []string{"check"}, backend: func(f *faulty) {
		f.check = func(context.Context) ([]executor.Diagnostic, error) { select {} }
	}},

	{name: "speaks with a host of any protocol", fails: []string{"hello"}, kit: func(c *altered) {
		if c.method == transport.MethodHello.Name && executor.CodeOf(c.err) == executor.Unsupported {
			c.err, c.reply = nil, json.RawMessage(`{}`)
		}
	}},
	{name: "opens again with anything", fails: []string{"open-twice"}, kit: func(c *altered) {
		if c.method == transport.MethodOpen.Name && executor.CodeOf(c.err) == executor.FailedPrecondition {
			c.err, c.reply = nil, json.RawMessage(`{}`)
		}
	}},
	{name: "takes an empty id", fails: []string{"arguments"}, kit: func(c *altered) {
		if c.method == transport.MethodDelete.Name && bytes.Contains(c.request, []byte(`"id":""`)) {
			c.err = nil
		}
	}},
	{name: "answers for what it does not offer", fails: []string{"undeclared"}, kit: func(c *altered) {
		if executor.CodeOf(c.err) == executor.Unsupported && c.method == transport.MethodCheck.Name {
			c.err, c.reply = nil, json.RawMessage(`[]`)
		}
	}, program: func(e *executor.Executor) { *e = withoutUpgrades(*e) }},
}

// withCode returns status with another exit code, if it has one of from.
func withCode(status executor.Status, from, to int) executor.Status {
	if status.Exit != nil && *status.Exit.Code == from {
		end := *status.Exit
		end.Code, end.Signal = &to, 0
		status.Exit = &end
	}
	return status
}

// breaks adds to the broken executors above.
func breaks(all ...broken) struct{} {
	brokenExecutors = append(brokenExecutors, all...)
	return struct{}{}
}

// ghosts are statuses that List shows until they are deleted.
type ghosts struct {
	mu  sync.Mutex
	all []executor.Status
}

func (g *ghosts) add(s executor.Status) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all = append(g.all, s)
}

func (g *ghosts) haunt(f *faulty) {
	f.list = func(ctx context.Context) ([]executor.Status, error) {
		all, err := f.complete.List(ctx)
		g.mu.Lock()
		defer g.mu.Unlock()
		return append(all, g.all...), err
	}
	f.remove = func(ctx context.Context, ref executor.Ref) error {
		g.mu.Lock()
		g.all = slices.DeleteFunc(g.all, func(s executor.Status) bool { return s.Ref == ref })
		g.mu.Unlock()
		return f.complete.Delete(ctx, ref)
	}
}

// withoutUpgrades returns e with backends that have no optional interfaces.
func withoutUpgrades(e executor.Executor) executor.Executor {
	e.Prototype = nil
	open := e.Open
	e.Open = func(ctx context.Context, env executor.Environment, host executor.Host) (executor.Backend, error) {
		backend, err := open(ctx, env, host)
		return struct{ executor.Backend }{backend}, err
	}
	return e
}

// TestBroken checks that each check proves its duty: an executor that neglects the
// duty fails that check, and no other that does not depend on it. A quick run makes those
// others that are about the same methods; `make matrix` makes all.
func TestBroken(t *testing.T) {
	if testing.Short() {
		t.Skip("makes all checks on each broken executor")
	}
	failing := map[string]bool{}
	for _, b := range brokenExecutors {
		for _, name := range b.fails {
			failing[name] = true
		}
	}
	for _, check := range Checks() {
		if !failing[check.Name] {
			t.Errorf("no broken executor fails the check %q", check.Name)
		}
	}
	reports := make([]Report, len(brokenExecutors))
	slots := make(chan struct{}, 24) // checks at once: most of the time goes into waiting
	var wg sync.WaitGroup
	for i, b := range brokenExecutors {
		wg.Go(func() { reports[i] = b.report(t.Context(), slots) })
	}
	wg.Wait()
	for i, b := range brokenExecutors {
		t.Run(b.name, func(t *testing.T) {
			var failed []string
			for _, r := range reports[i] {
				if r.Took > 10*time.Second {
					t.Logf("%s took %s", r.Name, r.Took)
				}
				if r.Outcome == Failed {
					failed = append(failed, r.Name)
					t.Logf("%s: %q", r.Name, r.Reasons)
				}
			}
			must := slices.DeleteFunc(failed, func(name string) bool { return slices.Contains(b.may, name) })
			if !slices.Equal(must, b.fails) {
				t.Errorf("the failed checks are %q, want %q", must, b.fails)
			}
		})
	}
}

// report runs all checks, each on an executor of its own. An executor that is broken
// in what its backends share would fail other checks.
func (b broken) report(ctx context.Context, slots chan struct{}) Report {
	checks := slices.DeleteFunc(Target{}.checks(b.modeOf()), func(c Check) bool { return !b.concerns(c) })
	report := make(Report, len(checks))
	blocked := ""
	each(checks, cap(slots), func(i int, c Check) {
		slots <- struct{}{}
		defer func() { <-slots }()
		if blocked != "" {
			report[i] = c.result(b.modeOf(), Skipped, blocked)
			return
		}
		report[i] = b.try(ctx, c)
		if c.first {
			blocked = report[i].blocks
		}
	})
	return report
}

// concerns reports whether a run makes a check on the executor.
func (b broken) concerns(c Check) bool {
	if c.first || os.Getenv("DAVIT_MATRIX") == "1" {
		return true
	}
	return slices.ContainsFunc(Checks(), func(failing Check) bool {
		return failing.Method == c.Method && (slices.Contains(b.fails, failing.Name) || slices.Contains(b.may, failing.Name))
	})
}

func (b broken) modeOf() Mode {
	switch {
	case b.mode != "":
		return b.mode
	case b.kit != nil:
		return Connected
	}
	return Direct
}

// try runs one check. A check that must fail may wait for something that does not
// happen, so its patience is short. Any other check has all the time that it needs on
// a busy machine.
func (b broken) try(ctx context.Context, c Check) Result {
	system := memory.NewSystem()
	defer system.Close()
	e := system.Executor()
	if b.program != nil {
		b.program(&e)
	}
	if b.backend != nil {
		e = withFault(e, b.backend)
	}
	target := memoryTarget(&e)
	target.Patience = time.Minute
	if slices.Contains(b.fails, c.Name) {
		target.Patience = 2 * time.Second
	}
	if _, err := os.Stat("/dev/shm"); err == nil {
		target.dir = "/dev/shm" // half of the test's time went into a disk
	}
	target.OutputBytes = 64 << 10
	target.Workloads = 6
	if b.name != "has no pids" {
		target.Skip = map[string]string{"create-pid": "the workloads are goroutines"}
	}
	target.alter = b.call
	if b.kit != nil {
		target.serve = proxy(b.kit)
	}
	return c.try(ctx, target, b.modeOf())
}
