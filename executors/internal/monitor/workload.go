package monitor

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/davit-run/davit/executors/internal/capture"
	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// workload is what a monitor monitors.
type workload struct {
	started
	cgroup Cgroup
	joins  *Join           // nil unless it runs within another one
	copier *capture.Copier // nil before the workload is made
}

// startWorkload starts a job's workload, or leaves nothing behind.
func startWorkload(job Job) (*workload, error) {
	w := &workload{cgroup: job.Cgroup, joins: job.Joins, started: started{At: time.Now()}}
	var err error
	if w.Monitor, err = identify(os.Getpid()); err != nil {
		return nil, err
	}
	if err := w.cgroup.make(); err != nil {
		return nil, errors.Join(err, w.cgroup.remove())
	}
	// From now on the workload may have run, whatever happens.
	if err = begin(w.started); err == nil {
		err = w.start(job)
	}
	if err != nil {
		err = errors.Join(err, endRest(w.cgroup), w.cgroup.remove(), os.Remove(startedFile))
		if w.copier != nil {
			w.copier.Close()
		}
		return nil, err
	}
	return w, nil
}

func (w *workload) start(job Job) error {
	files, err := w.openFiles(job)
	if err != nil {
		return err
	}
	defer closeAll(files)
	if err := job.enterNetwork(); err != nil { // before a mount that shows it
		return err
	}
	if err := job.contain(); err != nil {
		return err
	}
	if err := job.lookUp(); err != nil {
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
	pid, err := job.startStopped(attr)
	unix.Umask(0o077)
	if lerr := w.cgroup.leave(); lerr != nil {
		return errors.Join(err, lerr)
	}
	if err != nil {
		return err
	}
	if err := w.setUp(pid, job); err != nil {
		_ = unix.Kill(pid, unix.SIGKILL) // it is our child and not reaped
		return err
	}
	return unix.PtraceDetach(pid)
}

// startStopped starts the job's program, stopped before its first instruction.
func (job *Job) startStopped(attr *syscall.ProcAttr) (int, error) {
	if job.staged() {
		return job.startStage(attr)
	}
	pid, _, err := syscall.StartProcess(job.Path, job.Args, attr)
	if err != nil {
		return 0, startError(job.Path, err)
	}
	if _, err := awaitStop(pid); err != nil {
		killUnreaped(pid, err)
		return 0, err
	}
	return pid, nil
}

var errDied = errors.New("the workload was killed while it was started")

// killUnreaped kills a child of which awaitStop has returned an error, unless it was
// reaped.
func killUnreaped(pid int, err error) {
	if !errors.Is(err, errDied) {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

// awaitStop waits until a traced child has stopped.
func awaitStop(pid int) (unix.WaitStatus, error) {
	var ws unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &ws, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return ws, err
		case !ws.Stopped():
			return ws, errDied
		default:
			return ws, nil
		}
	}
}

// attr returns the attributes of the workload's first process.
func (job *Job) attr(files []*os.File) *syscall.ProcAttr {
	sys := &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Ptrace: true}
	if job.Terminal != nil {
		sys.Setctty, sys.Ctty = true, 0
	}
	if job.rooted() {
		sys.Chroot = job.Root
	}
	if u := job.User; u != nil {
		sys.Credential = &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}
	}
	attr := &syscall.ProcAttr{Dir: cwdOf(job), Env: job.Env, Sys: sys}
	for _, f := range files {
		attr.Files = append(attr.Files, f.Fd())
	}
	return attr
}

// inherit changes the settings of this thread that its children inherit, and that
// cannot be set from outside.
func inherit(job Job) error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become subreaper: %w", err)
	}
	if err := resetSignals(); err != nil {
		return err
	}
	if job.staged() {
		return nil // the stage does the rest
	}
	if job.Capabilities != nil {
		if err := bound(job.Capabilities); err != nil {
			return fmt.Errorf("drop capabilities: %w", err)
		}
	}
	if job.NoNewPrivileges {
		return noNewPrivileges()
	}
	return nil
}

func cwdOf(job *Job) string {
	if job.Cwd == "" {
		return "/"
	}
	return job.Cwd
}

// bound drops all capabilities but those to keep from what a program can ever have.
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

// setUp applies to a stopped process what can be set from outside, and records that
// it runs.
func (w *workload) setUp(pid int, job Job) error {
	// What the host was started with is not the workload's.
	if err := job.Joins.alive(); err != nil {
		return err
	}
	_ = unix.Setpriority(unix.PRIO_PROCESS, pid, 0) // fails if this process may not
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

func limitError(l Rlimit, err error) error {
	return executor.Errorf(executor.FailedPrecondition, "resource limit %d cannot be set to %d:%d: %w", l.Resource, l.Soft, l.Hard, err)
}

// setOOMScore sets the OOM score of a process. Without CAP_SYS_RESOURCE it cannot be less
// than what the machine has set for this one. Then the workload keeps that where 0 is
// asked for, as every spec does that has no wish.
func setOOMScore(pid, adj int) error {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte(strconv.Itoa(adj)), 0); err != nil && (adj != 0 || !errors.Is(err, unix.EACCES)) {
		return executor.Errorf(executor.FailedPrecondition, "OOM score: %w", err)
	}
	return nil
}

// startError adds a code to the error of an exec.
func startError(path string, err error) error {
	code := executor.Internal
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		code = executor.CommandNotFound
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.ENOEXEC), errors.Is(err, unix.EISDIR), errors.Is(err, unix.ETXTBSY), errors.Is(err, unix.ELIBBAD), errors.Is(err, unix.ELOOP), errors.Is(err, unix.E2BIG):
		code = executor.CommandNotExecutable
	case errors.Is(err, unix.EINVAL):
		code = executor.Invalid
	}
	return executor.Errorf(code, "exec %s: %w", path, err)
}
