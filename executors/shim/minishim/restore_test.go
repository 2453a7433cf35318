package minishim_test

import (
	"path/filepath"
	"strings"
	"testing"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/api/types/runc/options"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/davit-run/davit/shared/linux"
)

// TestRestore restores a container. The runtime is a script, which begins it anew.
func TestRestore(t *testing.T) {
	r := newRig(t, "echo ready; exit 7", nil)
	real, script := r.runtime, filepath.Join(r.dir, "runtime")
	r.runtime = script
	r.must(linux.WriteProgram(script, []byte(`#!/bin/sh
global=
while [ "$1" != restore ] && [ $# -gt 0 ]; do global="$global $1"; shift; done
[ $# -gt 0 ] || exec `+real+` $global
echo "$*" >>`+r.dir+`/args
[ -e `+r.dir+`/refuse ] && exit 1
while [ $# -gt 1 ]; do case $1 in --bundle) bundle=$2;; --pid-file) pid=$2;; esac; shift; done
exec `+real+` $global run --detach --bundle $bundle --pid-file $pid $1
`), 0o700))
	r.must(r.create(func(req *taskapi.CreateTaskRequest) {
		req.Checkpoint = "/image"
		r.withOptions(func(o *options.Options) { o.CriuWorkPath = "/work" })(req)
	}))
	if st := r.state(""); st.GetStatus() != tasktypes.Status_CREATED || st.GetPid() != 0 {
		t.Errorf("created: got %v", st)
	}
	r.must(r.start(""))
	resp, err := r.tasks.Wait(r.ctx, &taskapi.WaitRequest{ID: r.id})
	r.must(err)
	if resp.GetExitStatus() != 7 {
		t.Errorf("got exit status %d, want 7", resp.GetExitStatus())
	}
	const want = "--image-path /image --detach --no-subreaper --work-path /work --bundle "
	if got := r.read("args"); !strings.Contains(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := r.read("out"); got != "ready\n" {
		t.Errorf("got output %q", got)
	}
}

// TestRestoreFails deletes a container that was not restored.
func TestRestoreFails(t *testing.T) {
	r := newRig(t, "echo ready; sleep 1000", nil)
	real, script := r.runtime, filepath.Join(r.dir, "runtime")
	r.runtime = script
	r.must(linux.WriteProgram(script, []byte("#!/bin/sh\ncase \" $* \" in *\" restore \"*) exit 1;; esac\nexec "+real+" \"$@\"\n"), 0o700))
	r.must(r.create(func(req *taskapi.CreateTaskRequest) { req.Checkpoint = "/image" }))
	if err := r.start(""); err == nil {
		t.Error("start: got no error")
	}
	_, err := r.tasks.Kill(r.ctx, &taskapi.KillRequest{ID: r.id, Signal: 9, All: true})
	r.must(err)
	_, err = r.tasks.Delete(r.ctx, &taskapi.DeleteRequest{ID: r.id})
	r.must(err)
}
