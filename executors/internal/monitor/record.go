package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// Files in a workload's directory.
const (
	jobFile     = "job.json"
	claimFile   = "claim"
	startedFile = "started.json"
	exitFile    = "exit.json"
	goneFile    = "gone"
	loadingFile = "loading.json"
	signalFile  = "signal.json"
	logFile     = "log"
	inputFile   = "input"
)

// maxFile bounds a file, in bytes. The largest one, a job, has parts of a spec.
const maxFile = 16 << 20

// kept is the part of a job that is needed after its start.
type kept struct {
	Boot   string          `json:"boot"`
	Cgroup Cgroup          `json:"cgroup"`
	Note   json.RawMessage `json:"note,omitempty"`
	Inline bool            `json:"inline,omitempty"`
	// What others must know that run within it.
	Rooted    bool    `json:"rooted,omitempty"`
	Contained bool    `json:"contained,omitempty"`
	NetNS     bool    `json:"netns,omitempty"`
	Seccomp   *Filter `json:"seccomp,omitempty"`
}

// started is written twice: when the workload is about to be started, and with
// its process when it was.
type started struct {
	At       time.Time `json:"at"`
	Monitor  process   `json:"monitor"`
	Workload process   `json:"workload,omitzero"`
	// Terminal is the path of its terminal, if it has one.
	Terminal string `json:"terminal,omitempty"`
}

// gone is written when nothing of a workload is left.
type gone struct {
	// Truncated says that output may be missing.
	Truncated bool `json:"truncated,omitempty"`
}

// claim decides whether a workload runs. The first caller decides: the monitor that
// it runs, or whoever cancels the start that it does not. The other gets
// [fs.ErrExist].
func claim(dir string) error { return linux.Claim(path.Join(dir, claimFile)) }

// begin records in the working directory that the workload runs from now on, unless
// its start was cancelled.
func begin(now started) error {
	if err := claim("."); err != nil {
		return err
	}
	return write(".", startedFile, now)
}

// hold returns a path that means the directory that dir is now until release is called,
// also when another one has replaced it.
func hold(dir string) (held string, release func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d", f.Fd()), func() { _ = f.Close() }, nil
}

// Live reports whether a monitor, or a start of one, works on dir, whatever is known of its
// job.
func Live(dir string) (bool, error) { return locked(dir) }

// locked reports whether a monitor, or a start of one, works on dir.
func locked(dir string) (bool, error) {
	d, err := os.Open(dir)
	if err != nil {
		return false, err
	}
	defer d.Close()
	err = unix.Flock(int(d.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// read reads a file of a workload, and reports whether there is one. An empty file
// counts as none: a power failure may leave a file without content.
func read[T any](dir, file string) (v T, ok bool, err error) {
	name := path.Join(dir, file)
	b, err := linux.ReadFile(name, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return v, false, nil
	}
	if err != nil || len(b) == 0 {
		return v, false, err
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, false, fmt.Errorf("%s: %w", name, err)
	}
	return v, true, nil
}

// write writes a file of a workload, which is whole at any time.
func write(dir, file string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return linux.WriteWhole(path.Join(dir, file), b)
}

// flush writes to the disk what write has written.
func flush(dir, file string) {
	for _, name := range []string{path.Join(dir, file), dir} {
		if f, err := os.Open(name); err == nil {
			_ = f.Sync()
			_ = f.Close()
		}
	}
}

// Look finds out where a workload stands. The error is [executor.NotFound] if
// there is no job in dir.
func Look(dir string) (Status, error) {
	f, err := look(dir)
	return f.Status, err
}

// finding is a status, and the basis for it.
type finding struct {
	Status
	started
	cgroup Cgroup
	live   bool // a monitor works on it
	inline bool // and is it
}

func look(dir string) (finding, error) {
	job, ok, err := read[kept](dir, jobFile)
	if err != nil {
		return finding{}, err
	}
	if !ok {
		return finding{}, executor.Errorf(executor.NotFound, "%s holds no job", dir)
	}
	f := finding{Status: Status{Note: job.Note}, cgroup: job.Cgroup, inline: job.Inline}
	rebooted := job.Boot != bootID()
	// Once the lock was free, what is read will not change any more.
	if !rebooted {
		if f.live, err = locked(dir); err != nil {
			return f, err
		}
	}
	start, begun, err := read[started](dir, startedFile)
	if err != nil {
		return f, err
	}
	exit, ended, err := read[*executor.Exit](dir, exitFile)
	if err != nil {
		return f, err
	}
	f.started, f.StartedAt = start, start.At
	switch {
	case ended:
		f.Phase, f.Exit = Ended, exit
	case f.live && start.Workload.PID != 0:
		f.Phase, f.PID = Running, start.Workload.PID
		if f.cgroup.Freezer != "" {
			f.Paused, _ = f.cgroup.frozen()
		}
	case f.live:
		f.Phase = Starting
	case begun && rebooted:
		f.Phase, f.Exit = Ended, executor.LostExit("the machine was rebooted")
	case begun && job.Inline:
		f.Phase, f.Exit = Ended, inlineExit(dir, start.Workload)
	case begun:
		f.Phase, f.Exit = Ended, executor.LostExit("the monitor was killed")
	}
	return f, nil
}
