package process

import (
	"reflect"
	"testing"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestCgroupOf(t *testing.T) {
	n := func(v int64) *int64 { return &v }
	u := func(v uint64) *uint64 { return &v }
	limits := &specs.Linux{Resources: &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: n(100), Swap: n(150)},
		Pids:   &specs.LinuxPids{Limit: n(-1)},
		CPU:    &specs.LinuxCPU{Shares: u(1024), Quota: n(50), Period: u(200)},
	}}
	v1 := &cgroups{
		all: []hierarchy{
			{root: "/c/memory"}, {root: "/c/pids"}, {root: "/c/cpu"}, {root: "/c/cpuset", cpuset: true}, {root: "/c/unified"},
		},
		homes: func() map[string]string {
			return map[string]string{"/c/memory": "/c/memory/own", "/c/pids": "/c/pids", "/c/cpu": "/c/cpu", "/c/cpuset": "/c/cpuset"}
		},
		dirs:   map[string]string{memory: "/c/memory", pids: "/c/pids", cpu: "/c/cpu"},
		parent: "/davit",
	}
	v2 := &cgroups{all: []hierarchy{{root: "/c"}}, dirs: map[string]string{memory: "/c", pids: "/c", cpu: "/c"}, parent: "/davit", unified: "/c"}
	v1Dirs := func(parent string) []monitor.CgroupDir {
		return []monitor.CgroupDir{
			{Path: "/c/memory" + parent + "/x", Home: "/c/memory/own"}, {Path: "/c/pids" + parent + "/x", Home: "/c/pids"}, {Path: "/c/cpu" + parent + "/x", Home: "/c/cpu"},
			{Path: "/c/cpuset" + parent + "/x", Home: "/c/cpuset", Cpuset: "/c/cpuset"}, {Path: "/c/unified" + parent + "/x"},
		}
	}
	for _, tt := range []struct {
		name  string
		from  *cgroups
		linux *specs.Linux
		want  monitor.Cgroup
	}{
		{"v1", v1, limits, monitor.Cgroup{
			Dirs: v1Dirs("/davit"),
			Files: []monitor.CgroupFile{
				{Path: "/c/memory/davit/x/memory.limit_in_bytes", Value: "100"}, {Path: "/c/memory/davit/x/memory.memsw.limit_in_bytes", Value: "150"},
				{Path: "/c/pids/davit/x/pids.max", Value: "max"}, {Path: "/c/cpu/davit/x/cpu.shares", Value: "1024"},
				{Path: "/c/cpu/davit/x/cpu.cfs_period_us", Value: "200"}, {Path: "/c/cpu/davit/x/cpu.cfs_quota_us", Value: "50"},
			},
			OOM: "/c/memory/davit/x/memory.oom_control",
		}},
		{"v2", v2, limits, monitor.Cgroup{
			Dirs: []monitor.CgroupDir{{Path: "/c/davit/x"}},
			Files: []monitor.CgroupFile{
				{Path: "/c/davit/x/memory.max", Value: "100"}, {Path: "/c/davit/x/memory.swap.max", Value: "50"},
				{Path: "/c/davit/x/pids.max", Value: "max"}, {Path: "/c/davit/x/cpu.weight", Value: "39"},
				{Path: "/c/davit/x/cpu.max", Value: "max 200"}, {Path: "/c/davit/x/cpu.max", Value: "50 200"},
			},
			OOM: "/c/davit/x/memory.events",
		}},
		{"named", v1, &specs.Linux{CgroupsPath: "/y"}, monitor.Cgroup{
			Dirs: v1Dirs("/y"),
			OOM:  "/c/memory/y/x/memory.oom_control",
		}},
		{"relative", v2, &specs.Linux{CgroupsPath: "y/z"}, monitor.Cgroup{
			Dirs: []monitor.CgroupDir{{Path: "/c/davit/y/z/x", Top: "/c/davit"}},
			OOM:  "/c/davit/y/z/x/memory.events",
		}},
		{"none", &cgroups{}, nil, monitor.Cgroup{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.from.of(tt.linux, "x")
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, tt.want)
			}
		})
	}
	for name, from := range map[string]struct {
		*cgroups
		*specs.Linux
	}{
		"slice":         {v1, &specs.Linux{CgroupsPath: "a.slice:b:c"}},
		"leads out":     {v1, &specs.Linux{CgroupsPath: "../x"}},
		"no controller": {&cgroups{problem: "none here"}, limits},
	} {
		if _, err := from.of(from.Linux, "x"); executor.CodeOf(err) != executor.Unsupported {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
