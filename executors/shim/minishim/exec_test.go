package minishim_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
)

func TestExec(t *testing.T) {
	r := run(t, "echo ready; sleep 1000", nil)
	r.ready("out", "ready")
	wantCode(t, "start of none", r.start("e"), errdefs.ErrNotFound)
	r.must(r.exec("e", "echo out; echo err >&2; exit 7", nil))
	wantCode(t, "same id", r.exec("e", "true", nil), errdefs.ErrAlreadyExists)
	r.wantState("e", tasktypes.Status_CREATED)
	wantCode(t, "kill before the start", r.kill("e", syscall.SIGKILL), errdefs.ErrFailedPrecondition)
	r.must(r.start("e"))
	if got := r.wait("e"); got != 7 {
		t.Errorf("got %d", got)
	}
	r.wantState("e", tasktypes.Status_STOPPED)
	wantCode(t, "second start", r.start("e"), errdefs.ErrFailedPrecondition)
	wantCode(t, "kill after the end", r.kill("e", syscall.SIGKILL), errdefs.ErrNotFound)
	resp, err := r.tasks.Delete(r.ctx, &taskapi.DeleteRequest{ID: r.id, ExecID: "e"})
	r.must(err)
	if resp.GetExitStatus() != 7 || resp.GetExitedAt() == nil {
		t.Errorf("delete: got %v", resp)
	}
	if got := r.read("exec"); got != "out\nerr\n" {
		t.Errorf("output: got %q", got)
	}
	wantCode(t, "second delete", r.delete("e"), errdefs.ErrNotFound)
	r.wantState("", tasktypes.Status_RUNNING)

	// Its id is free again.
	r.must(r.exec("e", "trap 'exit 9' TERM; echo again; while :; do sleep 0.01; done", nil))
	r.must(r.start("e"))
	r.ready("exec", "again")
	r.wantState("e", tasktypes.Status_RUNNING)
	wantCode(t, "delete of what runs", r.delete("e"), errdefs.ErrFailedPrecondition)
	r.freeze()
	r.wantState("e", tasktypes.Status_PAUSED)
	r.must(r.exec("late", "true", nil))
	if err := r.start("late"); err == nil {
		t.Error("start of an exec while paused: got no error")
	}
	r.must(r.resume())
	r.must(r.kill("e", syscall.SIGTERM))
	if got := r.wait("e"); got != 9 {
		t.Errorf("got %d", got)
	}
}

// TestExecsEndWithContainer checks that all execs end with the first process, each
// with its exit.
func TestExecsEndWithContainer(t *testing.T) {
	for _, pids := range []bool{true, false} {
		t.Run(fmt.Sprintf("own-pids-%v", pids), func(t *testing.T) {
			r := run(t, "echo ready; sleep 1000", func(spec map[string]any) {
				if !pids {
					spec["linux"].(map[string]any)["namespaces"] = []map[string]string{{"type": "mount"}}
				}
			})
			r.ready("out", "ready")
			for i := range 3 {
				id := fmt.Sprintf("e%d", i)
				r.must(r.exec(id, "sleep 1000", nil))
				r.must(r.start(id))
			}
			r.must(r.kill("", syscall.SIGKILL))
			for _, id := range []string{"", "e0", "e1", "e2"} {
				if got := r.wait(id); got != 137 {
					t.Errorf("%q: got %d", id, got)
				}
			}
			wantCode(t, "exec after the end", r.exec("late", "true", nil), errdefs.ErrFailedPrecondition)
			r.must(r.delete(""))
		})
	}
}

// TestExecFails checks that a missing program is an error of the start, and not an
// exit code that looks like success.
func TestExecFails(t *testing.T) {
	r := run(t, "echo ready; sleep 1000", nil)
	r.ready("out", "ready")
	r.must(r.exec("e", "", func(req *taskapi.ExecProcessRequest) {
		req.Spec.Value = []byte(`{"args":["/nope"],"cwd":"/","user":{"uid":0,"gid":0}}`)
	}))
	if err := r.start("e"); err == nil || !strings.Contains(err.Error(), "/nope") {
		t.Errorf("got %v", err)
	}
	if got := r.wait("e"); got == 0 {
		t.Errorf("got %d", got)
	}
	r.must(r.delete("e"))
	_, err := r.tasks.Exec(r.ctx, &taskapi.ExecProcessRequest{ID: r.id, ExecID: "e"})
	wantCode(t, "no spec", errgrpc.ToNative(err), errdefs.ErrInvalidArgument)
}

// TestManyExecs checks that an exec that ends before its pid is known is not lost,
// nor is any of its output.
func TestManyExecs(t *testing.T) {
	r := run(t, "echo ready; sleep 1000", nil)
	r.ready("out", "ready")
	const atOnce, rounds = 4, 5
	errs := make(chan error, atOnce)
	for i := range atOnce {
		go func() {
			errs <- func() error {
				for j := range rounds {
					id := fmt.Sprintf("e%d-%d", i, j)
					if err := r.exec(id, fmt.Sprintf("echo %s; exit %d", id, i+1), nil); err != nil {
						return err
					}
					if err := r.start(id); err != nil {
						return err
					}
					resp, err := r.tasks.Wait(r.ctx, &taskapi.WaitRequest{ID: r.id, ExecID: id})
					if err != nil || int(resp.GetExitStatus()) != i+1 {
						return fmt.Errorf("%s: got %v, %w", id, resp, err)
					}
					if err := r.delete(id); err != nil {
						return err
					}
				}
				return nil
			}()
		}()
	}
	for range atOnce {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if got := strings.Count(r.read("exec"), "\n"); got != atOnce*rounds {
		t.Errorf("got %d lines, want %d", got, atOnce*rounds)
	}
}
