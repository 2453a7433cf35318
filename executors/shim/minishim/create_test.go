package minishim_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/host/rigs/realtest"
)

// withOptions edits the options of a create.
func (r *rig) withOptions(edit func(*options.Options)) func(*taskapi.CreateTaskRequest) {
	return func(req *taskapi.CreateTaskRequest) {
		var o options.Options
		r.must(req.GetOptions().UnmarshalTo(&o))
		edit(&o)
		r.must(req.GetOptions().MarshalFrom(&o))
	}
}

// TestShimCgroup checks that the shim moves to the cgroup that the options name, and
// the container to its own.
func TestShimCgroup(t *testing.T) {
	cgroup := fmt.Sprintf("/davit/shim-of-test-%d", os.Getpid())
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/memory"} {
		if _, err := os.Stat(root + "/cgroup.procs"); err != nil {
			continue
		}
		if err := os.MkdirAll(root+cgroup, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := os.Remove(root + cgroup); err != nil {
				t.Error(err)
			}
		})
	}
	r := newRig(t, "echo ready; sleep 1000", nil)
	r.must(r.create(r.withOptions(func(o *options.Options) { o.ShimCgroup = cgroup })))
	r.must(r.start(""))
	in := func(pid int) string {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		r.must(err)
		return string(b)
	}
	if got := in(r.process.Pid); !strings.Contains(got, cgroup+"\n") {
		t.Errorf("shim: got %s", got)
	}
	if got := in(int(r.state("").GetPid())); strings.Contains(got, cgroup) || !strings.Contains(got, "/davit/"+r.id+"\n") {
		t.Errorf("container: got %s", got)
	}
}

// TestCreateFails checks that a failed create leaves nothing behind, and that the
// next one may succeed.
func TestCreateFails(t *testing.T) {
	r := newRig(t, "echo ready; sleep 1000", nil)
	if err := r.create(r.withOptions(func(o *options.Options) { o.ShimCgroup = "/davit/nope" })); err == nil {
		t.Error("a cgroup that is not there: got no error")
	}
	if err := r.create(func(req *taskapi.CreateTaskRequest) { req.Stdout = filepath.Join(r.dir, "nope") }); err == nil {
		t.Error("a file that is not there: got no error")
	}
	// Without a terminal in the spec the runtime sends none.
	if err := r.create(func(req *taskapi.CreateTaskRequest) { req.Terminal = true }); err == nil {
		t.Error("a terminal that the spec has not: got no error")
	}
	if left := realtest.Leftovers(r.id); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	r.must(r.create(nil))
	wantCode(t, "second create", r.create(nil), errdefs.ErrAlreadyExists)
	r.must(r.start(""))
	r.ready("out", "ready")
}
