package monitor

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// workload is what a monitor monitors.
type workload struct {
	started
	cgroup  Cgroup
	console *console // nil without a terminal
}

// startWorkload starts a job's workload, or leaves nothing behind.
func startWorkload(job Job) (*workload, error) {
	w := &workload{cgroup: job.Cgroup, started: started{At: time.Now()}}
	var err error
	if w.Monitor, err = identify(os.Getpid()); err != nil {
		return nil, err
	}
	if err := w.cgroup.make(); err != nil {
		return nil, errors.Join(err, w.cgroup.remove())
	}
	// From here on the workload may have run, whatever happens.
	if err = begin(w.started); err == nil {
		err = w.start(job)
	}
	if err != nil {
		err = errors.Join(err, endRest(w.cgroup), w.cgroup.remove(), os.Remove(startedFile))
		return nil, err
	}
	return w, nil
}

func (w *workload) start(job Job) error {
	files, err := w.openFiles(job)
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	if err != nil {
		return err
	}
	if err := inherit(job); err != nil {
		return err
	}
	umask := uint32(0o022)
	if job.Umask != nil {
		umask = *job.Umask
	}
	attr := job.attr(files)
	unified, err := w.cgroup.unified()
	if err != nil {
		return fmt.Errorf("open cgroup: %w", err)
	}
	if unified != nil {
		defer unified.Close()
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, int(unified.Fd())
	}
	if err := w.cgroup.enter(); err != nil {
		return errors.Join(err, w.cgroup.leave())
	}
	unix.Umask(int(umask))
	pid, _, err := syscall.StartProcess(job.Path, job.Args, attr)
	unix.Umask(0o077)
	if lerr := w.cgroup.leave(); lerr != nil {
		return errors.Join(err, lerr)
	}
	if err != nil {
		return startError(job.Path, err)
	}
	// It is stopped before its first instruction.
	if err := w.settle(pid, job); err != nil {
		_ = unix.Kill(pid, unix.SIGKILL) // it is our child and not reaped
		return err
	}
	return unix.PtraceDetach(pid)
}

// attr gives how to start the workload's first process.
func (job *Job) attr(files []*os.File) *syscall.ProcAttr {
	sys := &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Ptrace: true}
	if job.Terminal != nil {
		sys.Setctty, sys.Ctty = true, 0
	}
	if job.Root != "" && job.Root != "/" {
		sys.Chroot = job.Root
	}
	if u := job.User; u != nil {
		sys.Credential = &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}
	}
	dir := job.Cwd
	if dir == "" {
		dir = "/"
	}
	attr := &syscall.ProcAttr{Dir: dir, Env: job.Env, Sys: sys}
	for _, f := range files {
		attr.Files = append(attr.Files, f.Fd())
	}
	return attr
}

// inherit changes of this thread what its children inherit, and nobody can be
// told from outside.
func inherit(job Job) error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become subreaper: %w", err)
	}
	if err := heedSignals(); err != nil {
		return err
	}
	if job.Capabilities != nil {
		if err := bound(job.Capabilities); err != nil {
			return fmt.Errorf("drop capabilities: %w", err)
		}
	}
	if job.NoNewPrivileges {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("set no new privileges: %w", err)
		}
	}
	return nil
}

// bound drops all but the given capabilities from what a program can ever have.
func bound(keep []int) error {
	kept := make(map[int]bool)
	for _, c := range keep {
		kept[c] = true
	}
	for c := 0; ; c++ {
		has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			return nil // beyond the last
		}
		if err == nil && has == 1 && !kept[c] {
			err = unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0)
		}
		if err != nil {
			return err
		}
	}
}

// settle gives a process that is stopped what it can be given from outside, and
// records that it runs.
func (w *workload) settle(pid int, job Job) error {
	var ws unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &ws, 0, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		break
	}
	if !ws.Stopped() {
		return fmt.Errorf("the workload was killed while it was started")
	}
	if err := setLimits(pid, job); err != nil {
		return err
	}
	if adj := job.OOMScoreAdj; adj != nil {
		if err := setOOMScore(pid, *adj); err != nil {
			return err
		}
	}
	var err error
	if w.Workload, err = identify(pid); err != nil {
		return err
	}
	return write(".", startedFile, w.started)
}

// setLimits gives a process its resource limits. Without CAP_SYS_RESOURCE, which
// root in a container has not, only processes of the same real ids may do that, so
// this thread has them for a moment.
func setLimits(pid int, job Job) error {
	if u := job.User; u != nil && len(job.Rlimits) > 0 {
		if err := setRealIDs(int(u.UID), int(u.GID)); err != nil {
			return fmt.Errorf("take the workload's ids: %w", err)
		}
		defer func() { _ = setRealIDs(os.Geteuid(), os.Getegid()) }()
	}
	for _, l := range job.Rlimits {
		limit := unix.Rlimit{Cur: l.Soft, Max: l.Hard}
		if err := unix.Prlimit(pid, l.Resource, &limit, nil); err != nil {
			return limitError(l, err)
		}
	}
	return nil
}

// setRealIDs changes the real user and group of this thread alone.
func setRealIDs(uid, gid int) error {
	const keep = ^uintptr(0)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, uintptr(gid), keep, keep); errno != 0 {
		return errno
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), keep, keep); errno != 0 {
		return errno
	}
	return nil
}

func limitError(l Rlimit, err error) error {
	return executor.Errorf(executor.FailedPrecondition, "resource limit %d cannot be set to %d:%d: %w", l.Resource, l.Soft, l.Hard, err)
}

func setOOMScore(pid, adj int) error {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte(strconv.Itoa(adj)), 0); err != nil {
		return executor.Errorf(executor.FailedPrecondition, "OOM score: %w", err)
	}
	return nil
}

// startError gives the error of an exec a code.
func startError(path string, err error) error {
	code := executor.Internal
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		code = executor.CommandNotFound
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.ENOEXEC), errors.Is(err, unix.EISDIR), errors.Is(err, unix.ETXTBSY), errors.Is(err, unix.ELIBBAD), errors.Is(err, unix.ELOOP):
		code = executor.CommandNotExecutable
	case errors.Is(err, unix.E2BIG), errors.Is(err, unix.EINVAL):
		code = executor.Invalid
	}
	return executor.Errorf(code, "exec %s: %w", path, err)
}
