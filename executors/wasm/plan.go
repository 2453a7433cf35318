package wasm

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/executors/internal/specfields"
	"github.com/davit-run/davit/executors/wasm/internal/engine"
	"github.com/davit-run/davit/executors/wasm/internal/guestfs"
	"github.com/davit-run/davit/executors/wasm/internal/runner"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// planner makes jobs of workloads.
type planner struct {
	config   Config
	uid, gid int
}

// plan is a backend.Plan.
func (p planner) plan(_ context.Context, w executor.Workload) (monitor.Job, error) {
	spec, err := fields.Sift(w, p.config.Ignore)
	if err != nil {
		return monitor.Job{}, err
	}
	process := spec.Process
	for _, s := range slices.Concat(process.Args, process.Env) {
		if strings.ContainsRune(s, 0) {
			return monitor.Job{}, executor.Errorf(executor.Invalid, "spec: argument or environment variable %q holds a zero byte", s)
		}
	}
	if err := p.checkUser(process.User); err != nil {
		return monitor.Job{}, err
	}
	plan := engine.Plan{
		Args:        process.Args,
		Env:         process.Env,
		Cwd:         cmp.Or(process.Cwd, "/"),
		ModuleDirs:  p.config.ModuleDirs,
		MemoryLimit: p.memory(spec.Linux),
		Cache:       p.config.CacheDir,
	}
	if plan.Mounts, err = p.mounts(spec); err != nil {
		return monitor.Job{}, err
	}
	job, err := runner.Job(runner.Plan{Plan: plan, Timeout: p.config.timeout})
	if err != nil {
		return job, err
	}
	job.Umask = process.User.Umask
	job.OOMScoreAdj = process.OOMScoreAdj
	job.Rlimits, err = rlimits(process.Rlimits)
	return job, err
}

// checkUser refuses a user other than the executor's own, which uid and gid 0 also
// mean.
func (p planner) checkUser(u specs.User) error {
	own := u.UID == uint32(p.uid) && u.GID == uint32(p.gid)
	if root := u.UID == 0 && u.GID == 0; !own && !root || len(u.AdditionalGids) > 0 {
		return refused("process.user", "a module has no user, and its files are accessed as the executor's, %d:%d", p.uid, p.gid)
	}
	return nil
}

// memory gives the limit in bytes, 0 for none.
func (p planner) memory(l *specs.Linux) int64 {
	if l == nil || l.Resources == nil || l.Resources.Memory == nil || l.Resources.Memory.Limit == nil || *l.Resources.Memory.Limit <= 0 {
		return p.config.memory
	}
	return *l.Resources.Memory.Limit
}

// mounts gives what the module sees as its file system.
func (p planner) mounts(spec *specs.Spec) ([]guestfs.Mount, error) {
	if spec.Root == nil || spec.Root.Path == "" {
		return nil, executor.Errorf(executor.Invalid, "spec has no root.path")
	}
	if !filepath.IsAbs(spec.Root.Path) {
		return nil, executor.Errorf(executor.Invalid, "spec's root.path %q is not absolute", spec.Root.Path)
	}
	mounts := []guestfs.Mount{{Source: spec.Root.Path, Target: "/", ReadOnly: spec.Root.Readonly}}
	for _, m := range spec.Mounts {
		if slices.Contains(p.config.Ignore, specfields.Usual) && specfields.IsUsualMount(m) {
			continue
		}
		readOnly, err := bindOf(m)
		if err != nil {
			return nil, err
		}
		mounts = append(mounts, guestfs.Mount{Source: m.Source, Target: m.Destination, ReadOnly: readOnly})
	}
	return mounts, nil
}

// held are options of bind mounts that need nothing done: a module can neither run
// programs nor open devices, and makes no mounts that could be propagated.
var held = []string{
	"bind", "rbind", "rw", "nosuid", "nodev", "noexec",
	"private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable",
}

// bindOf reports whether a bind mount is read-only, and refuses other mounts.
func bindOf(m specs.Mount) (readOnly bool, err error) {
	name := "mounts[" + m.Destination + "]"
	if m.Type != "bind" && !slices.Contains(m.Options, "bind") && !slices.Contains(m.Options, "rbind") {
		return false, refused(name, "a module has no mounts of type %q; bind mount a directory", m.Type)
	}
	if !filepath.IsAbs(m.Source) || !filepath.IsAbs(m.Destination) {
		return false, executor.Errorf(executor.Invalid, "spec's mount of %q at %q: both must be absolute paths", m.Source, m.Destination)
	}
	for _, o := range m.Options {
		switch {
		case o == "ro" || o == "rro":
			readOnly = true
		case o == "rw":
			readOnly = false
		case !slices.Contains(held, o):
			return false, refused(name, "the option %q has no meaning for a module", o)
		}
	}
	return readOnly, nil
}

// rlimits gives the limits that make sense for the process of a module.
func rlimits(limits []specs.POSIXRlimit) ([]monitor.Rlimit, error) {
	var set []monitor.Rlimit
	for _, l := range limits {
		switch l.Type {
		case "RLIMIT_NOFILE":
			set = append(set, monitor.Rlimit{Resource: unix.RLIMIT_NOFILE, Soft: l.Soft, Hard: l.Hard})
		case "RLIMIT_CORE": // a module leaves no core
		default:
			return nil, refused("process.rlimits["+l.Type+"]", "a module can have RLIMIT_NOFILE alone; use the backend's timeout, or a memory limit")
		}
	}
	return set, nil
}

// refused is the error for a part of a field that a module cannot have.
func refused(name, format string, args ...any) error {
	err := executor.Errorf(executor.Unsupported, format, args...)
	return executor.Errorf(executor.Unsupported, "%s: %w; leave it out, or choose another backend", name, err)
}
