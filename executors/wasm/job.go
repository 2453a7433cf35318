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

// builder makes jobs of workloads.
type builder struct {
	config   Config
	uid, gid int
}

// job is a backend.Prepare.
func (p builder) job(_ context.Context, w executor.Workload) (monitor.Job, error) {
	if netns, _, err := specfields.Network(w, p.config.Ignore); err != nil {
		return monitor.Job{}, err
	} else if netns != "" {
		return monitor.Job{}, executor.Errorf(executor.Unsupported, `linux.namespaces: a WebAssembly module can open no sockets, and so has no network; leave --network and --publish out, choose a backend whose executor is containerd, shim or process, or, to do without, add "linux.namespaces" to "ignore" in the backend's config`)
	}
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
	if plan.Mounts, err = p.mounts(w.Ref.ID, spec); err != nil {
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

// checkUser returns an error for a user other than the executor's own, which uid and
// gid 0 also mean.
func (p builder) checkUser(u specs.User) error {
	own := u.UID == uint32(p.uid) && u.GID == uint32(p.gid) && !slices.ContainsFunc(u.AdditionalGids, func(g uint32) bool { return g != u.GID })
	root := u.UID == 0 && u.GID == 0 // with whatever groups the root file system lists for root
	if !own && !root {
		return refused("process.user", "a module has no user, and its files are accessed as the executor's, %d:%d", p.uid, p.gid)
	}
	return nil
}

// memory returns the limit in bytes, 0 for none.
func (p builder) memory(l *specs.Linux) int64 {
	if l == nil || l.Resources == nil || l.Resources.Memory == nil || l.Resources.Memory.Limit == nil || *l.Resources.Memory.Limit <= 0 {
		return p.config.memory
	}
	return *l.Resources.Memory.Limit
}

// mounts returns the mounts of the module's file system.
func (p builder) mounts(id string, spec *specs.Spec) ([]guestfs.Mount, error) {
	if spec.Root == nil || spec.Root.Path == "" {
		return nil, executor.Errorf(executor.Invalid, "spec has no root.path")
	}
	if !filepath.IsAbs(spec.Root.Path) {
		return nil, executor.Errorf(executor.Invalid, "spec's root.path %q is not absolute", spec.Root.Path)
	}
	mounts := []guestfs.Mount{{Source: spec.Root.Path, Target: "/", ReadOnly: spec.Root.Readonly}}
	for _, m := range spec.Mounts {
		if slices.Contains(p.config.Ignore, specfields.Usual) && specfields.IsUsualMount(id, m) {
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

// implied are options of bind mounts that need no action: a module can neither run
// programs nor open devices, and makes no mounts that could be propagated.
var implied = []string{
	"bind", "rbind", "rw", "nosuid", "nodev", "noexec",
	"private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable",
}

// bindOf reports whether a bind mount is read-only. It returns an error for other
// mounts.
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
		case !slices.Contains(implied, o):
			return false, refused(name, "the option %q has no meaning for a module", o)
		}
	}
	return readOnly, nil
}

// usualStack is the limit of a stack that Linux systems have by default, in bytes. A
// module's stack is much smaller.
const usualStack = 8 << 20

// rlimits returns the limits that make sense for the process of a module.
func rlimits(limits []specs.POSIXRlimit) ([]monitor.Rlimit, error) {
	var set []monitor.Rlimit
	for _, l := range limits {
		switch l.Type {
		case "RLIMIT_NOFILE":
			set = append(set, monitor.Rlimit{Resource: unix.RLIMIT_NOFILE, Soft: l.Soft, Hard: l.Hard})
		case "RLIMIT_CORE": // a module leaves no core
		case "RLIMIT_NPROC": // and starts nothing
		case "RLIMIT_STACK":
			if l.Soft < usualStack {
				return nil, refused("process.rlimits["+l.Type+"]", "a module's stack has the size that its compiler gave it; a limit below the usual %d bytes has no effect", usualStack)
			}
		default:
			return nil, refused("process.rlimits["+l.Type+"]", "a module can have RLIMIT_NOFILE alone; use the backend's timeout, or a memory limit")
		}
	}
	return set, nil
}

// refused returns the error for a part of a field that a module cannot have.
func refused(name, format string, args ...any) error {
	err := executor.Errorf(executor.Unsupported, format, args...)
	return executor.Errorf(executor.Unsupported, "%s: %w; leave it out, or choose another backend", name, err)
}
