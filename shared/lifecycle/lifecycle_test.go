package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

func TestEndHasTwoPhases(t *testing.T) {
	test(t, func(t *testing.T, b backend) {
		b.refuse = executor.Errorf(executor.NotFound, "not mine")
		b.create(1)
		b.end("a", 3)
		synctest.Wait()
		if b.proc("a").released != 0 {
			t.Error("released although the host has no exit")
		}
		if got := b.list(); len(got) != 1 || got[0].State != executor.Exited {
			t.Errorf("listed %+v", got)
		}
		b.refuse = nil
		if st, err := b.Restore(t.Context(), ref("a", 1), executor.Stdio{}); err != nil || *st.Exit.Code != 3 {
			t.Errorf("restored %+v, %v", st, err)
		}
		synctest.Wait()
		if len(b.exited) != 1 || len(b.released) != 1 || b.exited[0].State != executor.Exited {
			t.Errorf("exited %+v, released %v", b.exited, b.released)
		}
		if got := b.list(); got[0].State != executor.Released || got[0].Output != executor.Complete {
			t.Errorf("listed %+v", got)
		}
	})
}

func TestCreateIsIdempotent(t *testing.T) {
	test(t, func(t *testing.T, b backend) {
		first := b.create(1)
		if again := b.create(1); again != first || b.starts != 1 {
			t.Errorf("again: %+v after %d starts, want %+v", again, b.starts, first)
		}
		_, err := b.Create(t.Context(), workload(2))
		b.wantCode("a newer attempt while one runs", err, executor.AlreadyExists)
		b.end("a", 0)
		synctest.Wait()
		if st := b.create(1); !st.State.Ended() || b.starts != 1 {
			t.Errorf("after its end: %+v after %d starts", st, b.starts)
		}
		b.create(2)
		if b.starts != 2 {
			t.Errorf("%d starts, want 2", b.starts)
		}
		_, err = b.Create(t.Context(), workload(1))
		b.wantCode("an older attempt", err, executor.FailedPrecondition)
	})
}

func TestAfterARestart(t *testing.T) {
	for name, tt := range map[string]struct {
		phase   lifecycle.Phase
		restore executor.Code // of the same attempt
		create  executor.Code // of a newer one
		starts  int           // that the latter makes
	}{
		"never ran": {lifecycle.NeverRan, executor.NotFound, "", 1},
		"created":   {lifecycle.Created, "", "", 1},
		"running":   {lifecycle.Running, "", executor.AlreadyExists, 0},
		"ended":     {lifecycle.Ended, "", "", 1},
	} {
		prepare := func(b backend) {
			b.add(ref("a", 1), tt.phase)
			if tt.phase == lifecycle.Ended {
				b.end("a", 7)
			}
		}
		t.Run(name+", restore", func(t *testing.T) {
			test(t, func(t *testing.T, b backend) {
				prepare(b)
				st, err := b.Restore(t.Context(), ref("a", 1), workload(1).Stdio)
				b.wantCode("Restore", err, tt.restore)
				if err != nil {
					if b.proc("a") != nil {
						t.Error("what never ran is still there")
					}
					return
				}
				if b.proc("a").adopted != workload(1).Stdio {
					t.Error("the streams were not passed on")
				}
				if ended := tt.phase == lifecycle.Ended; st.State.Ended() != ended {
					t.Errorf("restored %+v", st)
				}
				synctest.Wait()
				if len(b.exited) == 1 && (b.exited[0].Exit.Source != executor.Recovered || len(b.released) != 1) {
					t.Errorf("reported %+v, released %v", b.exited, b.released)
				}
			})
		})
		t.Run(name+", same attempt", func(t *testing.T) {
			test(t, func(t *testing.T, b backend) {
				prepare(b)
				b.create(1)
				if want := map[bool]int{true: 1}[tt.phase == lifecycle.NeverRan]; b.starts != want || len(b.inherits) != want {
					t.Errorf("%d starts, %d inherited, want %d", b.starts, len(b.inherits), want)
				}
			})
		})
		t.Run(name+", newer attempt", func(t *testing.T) {
			test(t, func(t *testing.T, b backend) {
				prepare(b)
				_, err := b.Create(t.Context(), workload(2))
				b.wantCode("Create", err, tt.create)
				if b.starts != tt.starts || len(b.inherits) != 0 {
					t.Errorf("%d starts, want %d; inherited %v", b.starts, tt.starts, b.inherits)
				}
				if tt.phase == lifecycle.Ended && (len(b.exited) != 1 || b.exited[0].Ref != ref("a", 1) || len(b.released) != 1) {
					t.Errorf("handed over %+v, %v", b.exited, b.released)
				}
			})
		})
		t.Run(name+", delete", func(t *testing.T) {
			test(t, func(t *testing.T, b backend) {
				prepare(b)
				err := b.Delete(t.Context(), ref("a", 1))
				want := map[bool]executor.Code{true: executor.FailedPrecondition}[tt.phase == lifecycle.Running]
				b.wantCode("Delete", err, want)
				if (b.proc("a") == nil) != (err == nil) {
					t.Errorf("after Delete: %v, it is there: %t", err, b.proc("a") != nil)
				}
			})
		})
		t.Run(name+", signal", func(t *testing.T) {
			test(t, func(t *testing.T, b backend) {
				prepare(b)
				err := b.Signal(t.Context(), ref("a", 1), syscall.SIGTERM)
				want := map[bool]executor.Code{false: executor.FailedPrecondition}[tt.phase == lifecycle.Running]
				b.wantCode("Signal", err, want)
				b.wantCode("Signal to a newer one", b.Signal(t.Context(), ref("a", 2), 15), executor.NotFound)
			})
		})
		t.Run(name+", list", func(t *testing.T) {
			test(t, func(t *testing.T, b backend) {
				prepare(b)
				list := b.list()
				if len(list) != 1 || list[0].Validate() != nil {
					t.Errorf("listed %+v", list)
				}
			})
		})
	}
}

func TestListWhileThingsChange(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(b backend)
		want   int
	}{
		"refused": {func(b backend) { b.end("a", 0) }, 1},
		"deleted": {func(b backend) {
			b.end("a", 0)
			synctest.Wait()
			b.wantCode("Delete", b.Delete(b.t.Context(), ref("a", 1)), "")
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, b backend) {
				b.refuse = executor.Errorf(executor.NotFound, "not mine")
				b.create(1)
				b.listing = func() {
					tt.change(b)
					synctest.Wait()
				}
				if list := b.list(); len(list) != tt.want {
					t.Errorf("listed %+v", list)
				}
			})
		})
	}
}

func TestHandOverNeedsTheHost(t *testing.T) {
	test(t, func(t *testing.T, b backend) {
		b.refuse = executor.Errorf(executor.NotFound, "not mine")
		b.create(1)
		b.end("a", 0)
		synctest.Wait()
		_, err := b.Create(t.Context(), workload(2))
		b.wantCode("Create", err, executor.FailedPrecondition)
		if b.proc("a").st.Ref.Attempt != 1 || b.starts != 1 {
			t.Error("the exit is lost")
		}
	})
}

// TestFullDisk: an exit that cannot be recorded is handed over all the same.
func TestFullDisk(t *testing.T) {
	test(t, func(t *testing.T, b backend) {
		b.record = fmt.Errorf("write exit.json: %w", syscall.ENOSPC)
		b.create(1)
		b.end("a", 0)
		synctest.Wait()
		if len(b.exited) != 1 || len(b.released) != 1 {
			t.Errorf("exited %v, released %v", b.exited, b.released)
		}
		if err := b.Delete(t.Context(), ref("a", 1)); err != nil {
			t.Error(err)
		}
	})
}

// TestFullDiskOfLost: what may run on is not reported as ended until that is recorded.
func TestFullDiskOfLost(t *testing.T) {
	test(t, func(t *testing.T, b backend) {
		b.record = fmt.Errorf("write exit.json: %w", syscall.ENOSPC)
		b.create(1)
		b.endWith("a", executor.LostExit("its shim died"))
		time.Sleep(1200 * time.Millisecond)
		b.machine.mu.Lock()
		if len(b.exited) != 0 {
			t.Errorf("exited %v", b.exited)
		}
		b.record = nil
		b.machine.mu.Unlock()
		time.Sleep(400 * time.Millisecond)
		synctest.Wait()
		if len(b.exited) != 1 || len(b.released) != 1 {
			t.Errorf("exited %v, released %v", b.exited, b.released)
		}
	})
}

func TestStartInTheWay(t *testing.T) {
	test(t, func(t *testing.T, b backend) {
		tries := 0
		b.start = func(context.Context, executor.Workload) error {
			tries++
			return fmt.Errorf("cut off: %w", lifecycle.ErrInTheWay)
		}
		_, err := b.Create(t.Context(), workload(1))
		b.wantCode("Create", err, executor.AlreadyExists)
		if tries != 4 {
			t.Errorf("%d tries", tries)
		}
	})
}

func TestWhileItIsCreated(t *testing.T) {
	test(t, func(t *testing.T, b backend) {
		release := make(chan struct{})
		b.start = func(_ context.Context, w executor.Workload) error {
			b.add(ref("a", 1), lifecycle.NeverRan)
			<-release
			return nil
		}
		created := make(chan error)
		go func() {
			_, err := b.Create(t.Context(), workload(1))
			created <- err
		}()
		synctest.Wait()
		if list := b.list(); len(list) != 0 {
			t.Errorf("listed %+v", list)
		}
		b.wantCode("Signal", b.Signal(t.Context(), ref("a", 1), 9), executor.NotFound)
		close(release)
		b.wantCode("Create", <-created, "")
		if list := b.list(); len(list) != 1 {
			t.Errorf("listed %+v", list)
		}
		b.wantCode("Signal", b.Signal(t.Context(), ref("a", 1), 9), "")
	})
}

func TestSignalOfADeath(t *testing.T) {
	for name, tt := range map[string]struct{ sent, want executor.Signal }{
		"sent by us": {syscall.SIGTERM, syscall.SIGTERM},
		"an exit":    {syscall.SIGHUP, 0},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, b backend) {
				b.create(1)
				b.wantCode("Signal", b.Signal(t.Context(), ref("a", 1), tt.sent), "")
				b.end("a", 128+int(syscall.SIGTERM))
				synctest.Wait()
				if got := b.exited[0].Exit.Signal; got != tt.want {
					t.Errorf("got signal %d, want %d", got, tt.want)
				}
				b.wantCode("Signal after the end", b.Signal(t.Context(), ref("a", 1), tt.sent), executor.FailedPrecondition)
			})
		})
	}
	test(t, func(t *testing.T, b backend) {
		b.create(1)
		b.wantCode("signal 65", b.Signal(t.Context(), ref("a", 1), 65), executor.Invalid)
		b.wantCode("an exec", b.Signal(t.Context(), executor.Ref{ID: "a", Attempt: 1, Exec: "b"}, 9), executor.Unsupported)
		b.wantCode("nobody", b.Signal(t.Context(), ref("b", 1), 9), executor.NotFound)
	})
}

func TestCloseLeavesWorkloadsRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine()
		b := open(t, m)
		b.create(1)
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		b = open(t, m)
		defer b.Close(t.Context())
		if st, err := b.Restore(t.Context(), ref("a", 1), executor.Stdio{}); err != nil || st.State != executor.Running {
			t.Errorf("restored %+v, %v", st, err)
		}
	})
}

func TestDelete(t *testing.T) {
	test(t, func(t *testing.T, b backend) {
		b.wantCode("an unknown one", b.Delete(t.Context(), ref("a", 1)), "")
		b.create(1)
		b.wantCode("one that runs", b.Delete(t.Context(), ref("a", 1)), executor.FailedPrecondition)
		b.wantCode("another attempt", b.Delete(t.Context(), ref("a", 2)), "")
		b.end("a", 0)
		synctest.Wait()
		b.wantCode("one that has ended", b.Delete(t.Context(), ref("a", 1)), "")
		_, err := b.Restore(t.Context(), ref("a", 1), executor.Stdio{})
		b.wantCode("Restore afterwards", err, executor.NotFound)
		if list := b.list(); len(list) != 0 {
			t.Errorf("listed %+v", list)
		}
	})
}

func TestDestroy(t *testing.T) {
	test(t, func(t *testing.T, b backend) {
		b.create(1)
		go func() {
			time.Sleep(time.Second)
			b.end("a", 137)
		}()
		if err := executor.Destroy(t.Context(), b.Backend, ref("a", 1)); err != nil || b.proc("a") != nil {
			t.Errorf("Destroy: %v", err)
		}
	})
}

// TestRefusedRepeat: what made a Create possible may have gone when it is repeated.
func TestRefusedRepeat(t *testing.T) {
	for name, tt := range map[string]struct {
		phase lifecycle.Phase
		code  executor.Code
		left  bool
	}{
		"runs":      {lifecycle.Running, "", true},
		"created":   {lifecycle.Created, "", true},
		"never ran": {lifecycle.NeverRan, executor.CommandNotFound, false},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, b backend) {
				b.invalid = executor.CommandNotFound
				_, err := b.Create(t.Context(), workload(1))
				b.wantCode("Create of what was not started", err, executor.CommandNotFound)
				b.add(workload(1).Ref, tt.phase)
				_, err = b.Create(t.Context(), workload(2))
				b.wantCode("Create of another attempt", err, executor.CommandNotFound)
				_, err = b.Create(t.Context(), workload(1))
				b.wantCode("Create", err, tt.code)
				if left := b.proc(workload(1).Ref.ID) != nil; left != tt.left || b.starts != 0 {
					t.Errorf("it is there: %t, want %t; %d starts", left, tt.left, b.starts)
				}
			})
		})
	}
}

func TestErrorOfStart(t *testing.T) {
	test(t, func(t *testing.T, b backend) {
		b.start = func(context.Context, executor.Workload) error { return executor.CommandNotFound }
		_, err := b.Create(t.Context(), workload(1))
		b.wantCode("Create", err, executor.CommandNotFound)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		b.start = nil
		_, err = b.Create(ctx, workload(1))
		if !errors.Is(err, context.Canceled) || b.starts != 0 {
			t.Errorf("cancelled: %v after %d starts", err, b.starts)
		}
	})
}

// A start that runs into an earlier one may hang for as long as the process lives.
func TestStartThatHangs(t *testing.T) {
	test(t, func(t *testing.T, b backend) {
		b.add(ref("a", 1), lifecycle.Created)
		b.startFound = func(ctx context.Context, p *proc) error {
			b.machine.mu.Lock()
			p.phase = lifecycle.Running // by the earlier start
			b.machine.mu.Unlock()
			<-ctx.Done()
			return ctx.Err()
		}
		if st := b.create(1); st.State != executor.Running || b.starts != 0 {
			t.Errorf("created %+v after %d starts, want what the earlier start has started", st, b.starts)
		}
	})
	test(t, func(t *testing.T, b backend) {
		b.add(ref("a", 1), lifecycle.Created)
		b.startFound = func(ctx context.Context, _ *proc) error {
			<-ctx.Done()
			return ctx.Err()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := b.Create(ctx, workload(1))
		b.wantCode("an attempt that may yet start", err, executor.OutcomeUnknown)
		if b.proc("a") == nil {
			t.Error("it is removed")
		}
	})
}

// What is left of a create that was cut off may not let itself be removed in time.
func TestRemovalThatHangs(t *testing.T) {
	test(t, func(t *testing.T, b backend) {
		b.add(ref("a", 1), lifecycle.NeverRan)
		b.stuck = true
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := b.Create(ctx, workload(1))
		b.wantCode("an attempt of which something is left", err, executor.OutcomeUnknown)
		b.stuck = false
		if st := b.create(1); st.State != executor.Running || b.starts != 1 {
			t.Errorf("afterwards: %+v after %d starts", st, b.starts)
		}
	})
}
