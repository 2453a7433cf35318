package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"unsafe"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// Descriptors of a stage, beside those of the workload.
const (
	stageJobFD = 3
	stageErrFD = 4
)

// roleStage is the role of a process that becomes the workload's first: it puts the
// filter of system calls and the limits upon itself, and executes the program.
const roleStage = "stage"

// staged reports whether a job needs a stage. The monitor cannot put a filter upon itself,
// which would stay for ever. And it may not set the limits of a process that the program
// has given another user or group, unless it has CAP_SYS_RESOURCE.
// And it cannot go into the namespaces of another process with only one of its threads.
func (job *Job) staged() bool {
	return job.Seccomp != nil || len(job.Rlimits) > 0 || job.Joins != nil && job.Joins.Contained
}

// runStage is a stage's life. It returns only if it fails.
func runStage() {
	runtime.LockOSThread()
	unix.CloseOnExec(stageJobFD)
	unix.CloseOnExec(stageErrFD)
	var job Job
	input, err := io.ReadAll(os.NewFile(stageJobFD, "job"))
	if err == nil {
		err = json.Unmarshal(input, &job)
	}
	if err == nil {
		err = job.become()
	}
	b, _ := json.Marshal(report{Code: executor.CodeOf(err), Message: err.Error()})
	_, _ = unix.Write(stageErrFD, b)
	syscall.Exit(1)
}

// become turns this process into the workload. Once there is a filter, only what the
// workload itself is allowed to do works.
func (job *Job) become() error {
	parent := os.Getppid()
	switch {
	case job.Joins != nil && job.Joins.Contained:
		if err := job.enter(); err != nil {
			return err
		}
	case job.rooted():
		if err := unix.Chroot(job.Root); err != nil {
			return fmt.Errorf("chroot: %w", err)
		}
	}
	if err := unix.Chdir(cwdOf(job)); err != nil {
		return fmt.Errorf("working directory: %w", err)
	}
	// Nothing that the runtime of this program needs should be in the way.
	debug.SetGCPercent(-1)
	if job.NoNewPrivileges {
		if err := noNewPrivileges(); err != nil {
			return err
		}
	}
	// A filter might forbid setting limits. But with little memory nothing else works.
	if err := job.setOwnLimits(func(resource int) bool { return !isMemory(resource) }); err != nil {
		return err
	}
	if job.Seccomp != nil {
		if err := job.installFilter(); err != nil {
			return err
		}
	}
	if job.Capabilities != nil {
		if err := bound(job.Capabilities); err != nil {
			return fmt.Errorf("drop capabilities: %w", err)
		}
	}
	if job.User != nil {
		if err := job.User.become(); err != nil {
			return fmt.Errorf("become user %d:%d: %w", job.User.UID, job.User.GID, err)
		}
	}
	// It was lost with the change of user.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	if os.Getppid() != parent {
		return errors.New("the monitor died")
	}
	if err := job.setOwnLimits(isMemory); err != nil {
		return err
	}
	return startError(job.Path, syscall.Exec(job.Path, job.Args, job.Env))
}

// isMemory reports whether a resource limit is about what a program of Go reserves.
func isMemory(resource int) bool { return resource == unix.RLIMIT_AS || resource == unix.RLIMIT_DATA }

// setOwnLimits sets limits of this process.
func (job *Job) setOwnLimits(which func(resource int) bool) error {
	for _, l := range job.Rlimits {
		if !which(l.Resource) {
			continue
		}
		// This call keeps package syscall from restoring the limit of open files at the exec.
		if err := syscall.Setrlimit(l.Resource, &syscall.Rlimit{Cur: l.Soft, Max: l.Hard}); err != nil {
			return limitError(l, err)
		}
	}
	return nil
}

// become changes the user of this thread, which is the only one after an exec.
func (u *User) become() error {
	var groups *uint32
	if len(u.Groups) > 0 {
		groups = &u.Groups[0]
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(u.Groups)), uintptr(unsafe.Pointer(groups)), 0); errno != 0 {
		return errno
	}
	gid, uid := uintptr(u.GID), uintptr(u.UID)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, gid, gid, gid); errno != 0 {
		return errno
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uid, uid, uid); errno != 0 {
		return errno
	}
	return nil
}

func noNewPrivileges() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no new privileges: %w", err)
	}
	return nil
}

// installFilter installs the filter. Without CAP_SYS_ADMIN that takes no_new_privs: else
// a filter could deceive a set-uid program.
func (job *Job) installFilter() error {
	code := job.Seccomp.Program
	program := unix.SockFprog{Len: uint16(len(code) / 8), Filter: (*unix.SockFilter)(unsafe.Pointer(&code[0]))}
	for {
		_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, job.Seccomp.Flags, uintptr(unsafe.Pointer(&program)))
		switch {
		case errno == 0:
			return nil
		case errno != unix.EACCES || job.NoNewPrivileges:
			return executor.Errorf(executor.FailedPrecondition, "install the seccomp filter: %w", errno)
		}
		if err := noNewPrivileges(); err != nil {
			return err
		}
		job.NoNewPrivileges = true
	}
}

// startStage starts a stage, and returns when it has executed the job's program, which
// is stopped before its first instruction.
func (job *Job) startStage(attr *syscall.ProcAttr) (int, error) {
	input, err := job.file()
	if err != nil {
		return 0, err
	}
	defer input.Close()
	errRead, errWrite, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer errRead.Close()
	defer errWrite.Close()
	attr.Files = append(attr.Files, input.Fd(), errWrite.Fd())
	attr.Env = environ(roleStage, "GOMAXPROCS=1")
	attr.Dir, attr.Sys.Chroot, attr.Sys.Credential = "/", "", nil
	pid, _, err := syscall.StartProcess(self, []string{"davit-monitor", "starts " + job.Path}, attr)
	if err != nil {
		return 0, err
	}
	_ = errWrite.Close()
	if err := awaitExec(pid); err != nil {
		killUnreaped(pid, err)
		var failed report
		if b, rerr := io.ReadAll(errRead); rerr == nil && json.Unmarshal(b, &failed) == nil {
			err = executor.Errorf(failed.Code, "%s", failed.Message)
		}
		return 0, err
	}
	return pid, nil
}

// file returns a file in memory with the job.
func (job *Job) file() (*os.File, error) {
	b, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("job", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "job")
	if _, err := f.Write(b); err != nil {
		_ = f.Close()
		return nil, err
	}
	_, err = f.Seek(0, io.SeekStart)
	return f, err
}

// awaitExec lets a child that is traced and stopped at its first exec run to the next.
func awaitExec(pid int) error {
	if _, err := awaitStop(pid); err != nil {
		return err
	}
	const options = unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_EXITKILL
	if err := unix.PtraceSetOptions(pid, options); err != nil {
		return err
	}
	for sig := 0; ; {
		if err := unix.PtraceCont(pid, sig); err != nil {
			return err
		}
		ws, err := awaitStop(pid)
		if err != nil {
			return err
		}
		if ws.TrapCause() == unix.PTRACE_EVENT_EXEC {
			return nil
		}
		sig = int(ws.StopSignal()) // such as those of the Go runtime to itself
	}
}
