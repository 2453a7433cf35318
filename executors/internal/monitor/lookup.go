package monitor

import (
	"cmp"
	"errors"
	"path"

	"github.com/davit-run/davit/executors/internal/command"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// rooted reports whether the workload has a root of its own.
func (job *Job) rooted() bool { return job.Root != "" && job.Root != "/" }

// lookUp finds the job's program, and its working directory, which it makes if it does
// not exist and the workload has a root of its own. On the machine's own files a wrong
// path is more likely a mistake.
func (job *Job) lookUp() error {
	root, err := openRoot(cmp.Or(job.Root, "/"))
	if err != nil {
		return err
	}
	defer root.close()
	cwd := path.Join("/", job.Cwd)
	mode, err := root.mode(cwd)
	if errors.Is(err, unix.ENOENT) && job.rooted() && (job.Joins == nil || job.Joins.Rooted) {
		if err = root.make(cwd, true); err == nil {
			mode, err = root.mode(cwd)
		}
	}
	if err != nil {
		return executor.Errorf(executor.Invalid, "process.cwd %q: %w", job.Cwd, err)
	}
	if mode&unix.S_IFMT != unix.S_IFDIR {
		return executor.Errorf(executor.Invalid, "process.cwd %q is not a directory", job.Cwd)
	}
	if job.Path == "" {
		job.Path, err = command.Command{Args: job.Args, Env: job.Env, Cwd: cwd}.Find(cmp.Or(job.Root, "/"))
	}
	return err
}

// mode returns the mode of a file, with links followed as a process within would.
func (r rootDir) mode(name string) (uint32, error) {
	fd, err := linux.Openat2(r.fd, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	return st.Mode, err
}
