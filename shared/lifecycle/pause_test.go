package lifecycle_test

import (
	"context"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

func TestPause(t *testing.T) {
	test(t, func(t *testing.T, b backend) {
		b.create(1)
		for _, step := range []struct {
			name string
			call func(context.Context, executor.Ref) error
			want executor.State
		}{
			{"pause", b.Pause, executor.Paused},
			{"pause again", b.Pause, executor.Paused},
			{"resume", b.Resume, executor.Running},
			{"resume again", b.Resume, executor.Running},
		} {
			b.wantCode(step.name, step.call(t.Context(), ref("a", 1)), "")
			if got := b.list()[0].State; got != step.want {
				t.Errorf("%s: listed as %s", step.name, got)
			}
			if got := b.create(1).State; got != step.want {
				t.Errorf("%s: the status is %s", step.name, got)
			}
			if frozen := b.proc("a").frozen; frozen != (step.want == executor.Paused) {
				t.Errorf("%s: frozen: %t", step.name, frozen)
			}
		}
		b.wantCode("unknown", b.Pause(t.Context(), ref("b", 1)), executor.NotFound)
		b.end("a", 0)
		synctest.Wait()
		b.wantCode("ended", b.Pause(t.Context(), ref("a", 1)), executor.FailedPrecondition)
		b.wantCode("ended", b.Resume(t.Context(), ref("a", 1)), executor.FailedPrecondition)
	})
}

func TestPausedBySomebodyElse(t *testing.T) {
	test(t, func(t *testing.T, b backend) {
		b.listsAll = true
		b.create(1)
		for _, frozen := range []bool{true, false} {
			b.proc("a").frozen = frozen
			if list := b.list(); len(list) != 1 || (list[0].State == executor.Paused) != frozen {
				t.Errorf("frozen %t: listed %+v", frozen, list)
			}
		}
	})
}

func TestPausedAfterARestart(t *testing.T) {
	test(t, func(t *testing.T, b backend) {
		b.add(ref("a", 1), lifecycle.Running).frozen = true
		if st, err := b.Restore(t.Context(), ref("a", 1), executor.Stdio{}); err != nil || st.State != executor.Paused {
			t.Errorf("restored %+v, %v", st, err)
		}
		b.wantCode("resume", b.Resume(t.Context(), ref("a", 1)), "")
		if got := b.list()[0].State; got != executor.Running {
			t.Errorf("listed as %s", got)
		}
	})
}

func TestPauseAfterKill(t *testing.T) {
	test(t, func(t *testing.T, b backend) {
		b.create(1)
		b.wantCode("kill", b.Signal(t.Context(), ref("a", 1), syscall.SIGKILL), "")
		b.wantCode("pause", b.Pause(t.Context(), ref("a", 1)), "")
		if b.proc("a").frozen {
			t.Error("what was killed is frozen")
		}
	})
}

// rigid has processes that cannot be paused.
type rigid struct{ driver }

type stone interface {
	lifecycle.Process
}

func (rigid) Prepare(context.Context, executor.Workload) (int, error) { return 0, nil }
func (rigid) Start(context.Context, int) (stone, executor.Status, error) {
	return nil, executor.Status{}, executor.Unavailable
}
func (r rigid) Find(ctx context.Context, ref executor.Ref) (lifecycle.Found[stone], bool, error) {
	f, ok, err := r.driver.Find(ctx, ref)
	return lifecycle.Found[stone]{Process: struct{ lifecycle.Process }{f.Process}, Phase: f.Phase, Status: f.Status}, ok, err
}
func (rigid) List(context.Context, func(id, exec string) bool) ([]lifecycle.Found[stone], error) {
	return nil, nil
}

func TestOffers(t *testing.T) {
	able := lifecycle.New(driver{newMachine()}, &reports{}, nil)
	unable := lifecycle.New(rigid{driver{newMachine()}}, &reports{}, nil)
	for _, tt := range []struct {
		name  string
		b     executor.Backend
		pause bool
	}{
		{"by the type", able, true},
		{"before it is open", &struct {
			*lifecycle.Backend[*executor.Workload, *handle]
		}{}, true},
		{"not by the type", unable, false},
		{"not by the type, before it is open", &struct {
			*lifecycle.Backend[int, stone]
		}{}, false},
		{"other upgrades", struct {
			*lifecycle.Backend[int, stone]
			executor.Checker
		}{Backend: unable}, false},
	} {
		caps := executor.Capabilities(tt.b)
		if slices.Contains(caps, executor.CapPause) != tt.pause || !slices.Contains(caps, executor.CapClose) {
			t.Errorf("%s: got %v, want pause: %t", tt.name, caps, tt.pause)
		}
		if _, checks := tt.b.(executor.Checker); checks != slices.Contains(caps, executor.CapCheck) {
			t.Errorf("%s: got %v", tt.name, caps)
		}
	}
	m := newMachine()
	m.add(ref("a", 1), lifecycle.Running)
	err := lifecycle.New(rigid{driver{m}}, &reports{}, nil).Pause(t.Context(), ref("a", 1))
	if executor.CodeOf(err) != executor.Unsupported {
		t.Errorf("Pause: got %v", err)
	}
}
