package process

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/seccomp"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// builder makes jobs of workloads.
type builder struct {
	ignore  []string
	user    user
	mounts  bool // whether the executor may make mounts
	owner   oci.Owner
	cgroups *cgroups
}

// job is a backend.Prepare.
func (p *builder) job(_ context.Context, w executor.Workload) (monitor.Job, error) {
	netns, err := p.netNS(w)
	if err != nil {
		return monitor.Job{}, err
	}
	spec, err := p.filter(w, netns).Sift(w, p.ignore)
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
		NetNS:           netns,
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
	if job.Cgroup, err = p.cgroups.of(spec.Linux, p.owner.ContainerID(w.Ref.ID)); err != nil {
		return job, err
	}
	switch {
	case job.Root != "/" && p.mounts:
		job.Contain, err = contain(spec, p.ignore)
	case netns != "":
		job.Contain, err = containNames(w)
	}
	if err != nil {
		return job, err
	}
	if job.Sysctls, err = sysctls(spec, netns); err != nil {
		return job, err
	}
	if l := spec.Linux; l != nil && l.Seccomp != nil {
		job.Seccomp = new(monitor.Filter)
		if job.Seccomp.Program, job.Seccomp.Flags, err = seccomp.Compile(l.Seccomp); err != nil {
			return job, executor.Errorf(executor.Unsupported, `linux.seccomp: %w; use another profile or backend, or add "linux.seccomp" to "ignore" in the backend's config`, err)
		}
	}
	job.Env = p.withHome(job.Root, process)
	return job, nil
}

// root returns the directory that becomes the root of the process.
func (p *builder) root(root *specs.Root) (string, error) {
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

// userOf returns the user that a process runs as, nil for the executor's own. uid and
// gid 0 also mean the executor's own user if that is not root.
func (p *builder) userOf(u specs.User) (*monitor.User, error) {
	if p.user.uid == 0 {
		return &monitor.User{UID: u.UID, GID: u.GID, Groups: u.AdditionalGids}, nil
	}
	own := u.UID == uint32(p.user.uid) && u.GID == uint32(p.user.gid)
	for _, g := range u.AdditionalGids {
		own = own && slices.Contains(p.user.groups, int(g))
	}
	root := u.UID == 0 && u.GID == 0 // with whatever groups the root file system lists for root
	if !own && !root {
		return nil, executor.Errorf(executor.Unsupported, `process.user: the executor runs as user %d:%d and cannot run a process as %d:%d; run it as root, or add "process.user" to "ignore" in the backend's config`, p.user.uid, p.user.gid, u.UID, u.GID)
	}
	return nil, nil
}
