package process

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// planner makes jobs of workloads.
type planner struct {
	ignore  []string
	user    user
	owner   oci.Owner
	cgroups *cgroups
}

// plan is a backend.Plan.
func (p *planner) plan(_ context.Context, w executor.Workload) (monitor.Job, error) {
	spec, err := fields.Sift(w, p.ignore)
	if err != nil {
		return monitor.Job{}, err
	}
	process := spec.Process
	job := monitor.Job{
		Args:            process.Args,
		Env:             process.Env,
		Cwd:             process.Cwd,
		Umask:           process.User.Umask,
		NoNewPrivileges: process.NoNewPrivileges,
		OOMScoreAdj:     process.OOMScoreAdj,
	}
	if process.Terminal {
		job.Terminal = new(monitor.Terminal)
		if s := process.ConsoleSize; s != nil {
			*job.Terminal = monitor.Terminal{Rows: uint16(s.Height), Cols: uint16(s.Width)}
		}
	}
	if job.Root, err = p.root(spec.Root); err != nil {
		return job, err
	}
	if job.User, err = p.userOf(process.User); err != nil {
		return job, err
	}
	if job.Capabilities, err = p.capabilities(process.Capabilities); err != nil {
		return job, err
	}
	if job.Rlimits, err = rlimits(process.Rlimits); err != nil {
		return job, err
	}
	if job.Cgroup, err = p.cgroups.plan(spec.Linux, p.owner.ContainerID(w.Ref.ID)); err != nil {
		return job, err
	}
	job.Path, err = lookUp(job.Root, process)
	return job, err
}

// root gives the directory that the process is to see as its root.
func (p *planner) root(root *specs.Root) (string, error) {
	if root == nil || root.Path == "" || root.Path == "/" {
		return "/", nil
	}
	if !filepath.IsAbs(root.Path) {
		return "", executor.Errorf(executor.Invalid, "spec's root.path %q is not absolute", root.Path)
	}
	if p.user.uid != 0 {
		return "", executor.Errorf(executor.Unsupported, `root.path: to make %q the root directory of a process, the executor must run as root; do that, choose another backend, or add "root" to "ignore" in the backend's config to run on this machine's own files`, root.Path)
	}
	return root.Path, nil
}

// userOf gives whom a process is to run as, nil for the executor's own user,
// which uid and gid 0 also mean where that is not root.
func (p *planner) userOf(u specs.User) (*monitor.User, error) {
	if p.user.uid == 0 {
		return &monitor.User{UID: u.UID, GID: u.GID, Groups: u.AdditionalGids}, nil
	}
	own := u.UID == uint32(p.user.uid) && u.GID == uint32(p.user.gid)
	for _, g := range u.AdditionalGids {
		own = own && slices.Contains(p.user.groups, int(g))
	}
	root := u.UID == 0 && u.GID == 0 && !slices.ContainsFunc(u.AdditionalGids, func(g uint32) bool { return g != 0 })
	if !own && !root {
		return nil, executor.Errorf(executor.Unsupported, `process.user: the executor runs as user %d:%d and cannot run a process as %d:%d; run it as root, or add "process.user" to "ignore" in the backend's config`, p.user.uid, p.user.gid, u.UID, u.GID)
	}
	return nil, nil
}
