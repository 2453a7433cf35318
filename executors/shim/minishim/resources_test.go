package minishim_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	cgroup1 "github.com/containerd/cgroups/v3/cgroup1/stats"
	cgroup2 "github.com/containerd/cgroups/v3/cgroup2/stats"
	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/containerd/typeurl/v2"
	"github.com/davit-run/davit/shared/linux"
	"google.golang.org/protobuf/types/known/anypb"
)

func TestPids(t *testing.T) {
	r := run(t, "sleep 1000 & sleep 1000 & echo ready; wait", nil)
	r.ready("out", "ready")
	r.must(r.exec("e", "exec sleep 1000", nil))
	r.must(r.start("e"))
	resp, err := r.tasks.Pids(r.ctx, &taskapi.PidsRequest{ID: r.id})
	r.must(err)
	pids := make(map[uint32]string)
	for _, p := range resp.GetProcesses() {
		pids[p.GetPid()] = ""
		if p.GetInfo() != nil {
			var details options.ProcessDetails
			r.must(typeurl.UnmarshalTo(p.GetInfo(), &details))
			pids[p.GetPid()] = details.ExecID
		}
	}
	first, found := pids[r.state("").GetPid()]
	if len(pids) != 4 || !found || first != "" || pids[r.state("e").GetPid()] != "e" {
		t.Errorf("got %v", pids)
	}
	r.must(r.kill("", syscall.SIGKILL))
	r.wait("")
	_, err = r.tasks.Pids(r.ctx, &taskapi.PidsRequest{ID: r.id})
	wantCode(t, "pids after the end", errgrpc.ToNative(err), errdefs.ErrFailedPrecondition)
}

func TestStats(t *testing.T) {
	r := run(t, counters, nil)
	r.counts()
	resp, err := r.tasks.Stats(r.ctx, &taskapi.StatsRequest{ID: r.id})
	r.must(err)
	metrics, err := typeurl.UnmarshalAny(resp.GetStats())
	r.must(err)
	var cpu, memory, pids uint64
	switch m := metrics.(type) {
	case *cgroup1.Metrics:
		cpu, memory, pids = m.GetCPU().GetUsage().GetTotal(), m.GetMemory().GetUsage().GetUsage(), m.GetPids().GetCurrent()
	case *cgroup2.Metrics:
		cpu, memory, pids = m.GetCPU().GetUsageUsec(), m.GetMemory().GetUsage(), m.GetPids().GetCurrent()
	default:
		t.Fatalf("got %T", metrics)
	}
	if cpu == 0 || memory == 0 || pids != 2 {
		t.Errorf("got cpu %d, memory %d, pids %d", cpu, memory, pids)
	}
	r.must(r.kill("", syscall.SIGKILL))
	r.wait("")
	_, err = r.tasks.Stats(r.ctx, &taskapi.StatsRequest{ID: r.id})
	wantCode(t, "stats after the end", errgrpc.ToNative(err), errdefs.ErrFailedPrecondition)
}

func TestUpdate(t *testing.T) {
	r := run(t, "echo ready; sleep 1000", nil)
	r.ready("out", "ready")
	_, err := r.tasks.Update(r.ctx, &taskapi.UpdateTaskRequest{ID: r.id, Resources: &anypb.Any{
		TypeUrl: "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources", Value: []byte(`{"memory":{"limit":50331648}}`),
	}})
	r.must(err)
	var limits []string
	for _, glob := range []string{"/sys/fs/cgroup/memory/davit/" + r.id + "/memory.limit_in_bytes", "/sys/fs/cgroup/davit/" + r.id + "/memory.max"} {
		if b, err := os.ReadFile(glob); err == nil {
			limits = append(limits, strings.TrimSpace(string(b)))
		}
	}
	if !slices.Equal(limits, []string{"50331648"}) {
		t.Errorf("got %q", limits)
	}
	if left, _ := filepath.Glob(r.bundle + "/resources-*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	_, err = r.tasks.Update(r.ctx, &taskapi.UpdateTaskRequest{ID: r.id, Resources: &anypb.Any{Value: []byte(`nonsense`)}})
	if err == nil {
		t.Error("nonsense: got no error")
	}
}

// TestCheckpoint checks the arguments of the runtime. Here the runtime is a script,
// since few machines have a CRIU.
func TestCheckpoint(t *testing.T) {
	r := newRig(t, "echo ready; sleep 1000", nil)
	real, script := r.runtime, filepath.Join(r.dir, "runtime")
	r.runtime = script
	r.must(linux.WriteProgram(script, []byte("#!/bin/sh\ncase \" $* \" in *\" checkpoint \"*) echo \"$*\" >"+r.dir+"/args; exit 0;; esac\nexec "+real+" \"$@\"\n"), 0o700))
	r.must(r.create(nil))
	r.must(r.start(""))
	o, err := anypb.New(&options.CheckpointOptions{OpenTcp: true, FileLocks: true, EmptyNamespaces: []string{"network"}})
	r.must(err)
	_, err = r.tasks.Checkpoint(r.ctx, &taskapi.CheckpointTaskRequest{ID: r.id, Path: "/image", Options: o})
	r.must(err)
	want := " checkpoint --image-path /image --leave-running --tcp-established --file-locks --empty-ns network " + r.id + "\n"
	if got := r.read("args"); !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestConnect checks that Connect returns the pids.
func TestConnect(t *testing.T) {
	r := run(t, "sleep 1000", nil)
	resp, err := r.tasks.Connect(r.ctx, &taskapi.ConnectRequest{ID: r.id})
	r.must(err)
	if int(resp.GetShimPid()) != r.process.Pid || resp.GetTaskPid() != r.state("").GetPid() {
		t.Errorf("got %v", resp)
	}
}

// exec adds an exec of a script. edit changes the request.
func (r *rig) exec(id, script string, edit func(*taskapi.ExecProcessRequest)) error {
	r.t.Helper()
	spec, err := json.Marshal(map[string]any{
		"args": []string{"/bin/sh", "-c", script}, "cwd": "/", "env": []string{"PATH=/bin"}, "user": map[string]int{"uid": 0, "gid": 0},
	})
	r.must(err)
	req := &taskapi.ExecProcessRequest{
		ID: r.id, ExecID: id, Spec: &anypb.Any{TypeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Process", Value: spec},
		Stdout: filepath.Join(r.dir, "exec"), Stderr: filepath.Join(r.dir, "exec"),
	}
	if edit != nil {
		edit(req)
	}
	_, err = r.tasks.Exec(r.ctx, req)
	return errgrpc.ToNative(err)
}
