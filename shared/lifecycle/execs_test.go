package lifecycle_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// further is a workload that is a further process of attempt 1.
func further(id string) executor.Workload {
	return executor.Workload{Ref: executor.Ref{ID: id, Attempt: 1, Exec: "x"}}
}

// withExecs runs fn with a backend and that of its further processes, of which the fake
// machine can have one for each container.
func withExecs(t *testing.T, fn func(t *testing.T, b backend, execs *machine)) {
	t.Helper()
	test(t, func(t *testing.T, b backend) {
		execs := newMachine()
		b.Exec(lifecycle.New(driver{execs}, b.reports, nil))
		fn(t, b, execs)
	})
}

func TestExecIsLikeAnAttempt(t *testing.T) {
	withExecs(t, func(t *testing.T, b backend, execs *machine) {
		b.create(1)
		x := further("a")
		first, err := b.Create(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := b.Create(t.Context(), x); err != nil || again != first || execs.starts != 1 || b.starts != 1 {
			t.Errorf("again: %+v, %v after %d starts", again, err, execs.starts)
		}
		b.wantCode("Delete while it runs", b.Delete(t.Context(), x.Ref), executor.FailedPrecondition)
		if err := b.Signal(t.Context(), x.Ref, 15); err != nil || len(execs.proc("a").signals) != 1 || b.proc("a").signals != nil {
			t.Errorf("Signal: %v", err)
		}
		if got := b.list(); len(got) != 2 {
			t.Errorf("listed %+v", got)
		}
		execs.end("a", 3)
		synctest.Wait()
		if len(b.exited) != 1 || b.exited[0].Ref != x.Ref || *b.exited[0].Exit.Code != 3 || !slices.Equal(b.released, []executor.Ref{x.Ref}) {
			t.Errorf("exited %+v, released %v", b.exited, b.released)
		}
		b.wantCode("Delete", b.Delete(t.Context(), x.Ref), "")
		if execs.proc("a") != nil || b.proc("a") == nil {
			t.Error("what was deleted is there, or its attempt is not")
		}
	})
}

func TestExecNeedsAnAttempt(t *testing.T) {
	withExecs(t, func(t *testing.T, b backend, _ *machine) {
		create := func(id string) error {
			_, err := b.Create(t.Context(), further(id))
			return err
		}
		b.wantCode("of an unknown one", create("none"), executor.NotFound)
		b.create(1)
		if err := b.Pause(t.Context(), ref("a", 1)); err != nil {
			t.Fatal(err)
		}
		b.wantCode("of a paused one", create("a"), executor.FailedPrecondition)
		b.add(ref("paused", 1), lifecycle.Running).frozen = true
		b.wantCode("of a paused one that was found", create("paused"), executor.FailedPrecondition)
		b.add(ref("newer", 2), lifecycle.Running)
		b.wantCode("of one that was replaced", create("newer"), executor.FailedPrecondition)
		b.add(ref("never", 1), lifecycle.NeverRan)
		b.wantCode("of one that never ran", create("never"), executor.FailedPrecondition)
		b.end("a", 0)
		synctest.Wait()
		b.wantCode("of one that has ended", create("a"), executor.FailedPrecondition)
	})
}

// An attempt that ends takes up the processes that nobody has restored, and is released
// after them.
func TestAttemptIsReleasedAfterItsExecs(t *testing.T) {
	withExecs(t, func(t *testing.T, b backend, execs *machine) {
		b.create(1)
		x := further("a").Ref
		execs.add(x, lifecycle.Running)
		execs.add(further("b").Ref, lifecycle.Running) // of another container
		b.end("a", 0)
		synctest.Wait()
		if len(b.exited) != 1 || len(b.released) != 0 {
			t.Fatalf("exited %+v, released %v", b.exited, b.released)
		}
		execs.end("a", 137)
		synctest.Wait()
		if !slices.Equal(b.released, []executor.Ref{x, ref("a", 1)}) {
			t.Errorf("released %v", b.released)
		}
	})
}

func TestExecHoldsItsAttemptUpNotForLong(t *testing.T) {
	withExecs(t, func(t *testing.T, b backend, execs *machine) {
		b.create(1)
		if _, err := b.Create(t.Context(), further("a")); err != nil {
			t.Fatal(err)
		}
		b.end("a", 0)
		time.Sleep(time.Minute)
		synctest.Wait()
		if !slices.Equal(b.released, []executor.Ref{ref("a", 1)}) {
			t.Errorf("released %v", b.released)
		}
		if err := b.Delete(t.Context(), ref("a", 1)); err != nil || execs.proc("a") != nil {
			t.Errorf("Delete of the attempt: %v, and its process is there: %t", err, execs.proc("a") != nil)
		}
	})
}

func TestNewerAttemptRemovesExecsOfTheOlder(t *testing.T) {
	withExecs(t, func(t *testing.T, b backend, execs *machine) {
		b.create(1)
		b.end("a", 0)
		synctest.Wait()
		execs.add(further("a").Ref, lifecycle.NeverRan)
		b.create(2)
		if execs.proc("a") != nil {
			t.Error("a process of attempt 1 is there")
		}
	})
}
