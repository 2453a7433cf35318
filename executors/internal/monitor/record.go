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
)

// kept is what is needed of a job after its start.
type kept struct {
	Boot   string          `json:"boot"`
	Cgroup Cgroup          `json:"cgroup"`
	Note   json.RawMessage `json:"note,omitempty"`
	Inline bool            `json:"inline,omitempty"`
}

// started is written twice: when the workload is about to be started, and with
// its process when it was.
type started struct {
	At       time.Time `json:"at"`
	Monitor  process   `json:"monitor"`
	Workload process   `json:"workload,omitzero"`
}

// claim decides whether a workload runs, and whoever comes first does: the monitor
// that it does, or whoever cancels the start that it does not. The error of the
// other is [fs.ErrExist].
func claim(dir string) error {
	f, err := os.OpenFile(path.Join(dir, claimFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// begin records in the working directory that the workload runs from here on, unless
// its start was cancelled.
func begin(now started) error {
	if err := claim("."); err != nil {
		return err
	}
	return write(".", startedFile, now)
}

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

// read reads a file of a workload, and reports whether there is one. An empty one
// is none: a power failure may leave a file without content.
func read[T any](dir, file string) (v T, ok bool, err error) {
	name := path.Join(dir, file)
	b, err := os.ReadFile(name)
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

// write writes a file of a workload that is whole at any time.
func write(dir, file string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	name := path.Join(dir, file)
	if err := os.WriteFile(name+"~", b, 0o600); err != nil {
		return err
	}
	return os.Rename(name+"~", name)
}

// sync writes to the disk what write has written.
func sync(dir, file string) {
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

// finding is a status, and how it is known.
type finding struct {
	Status
	started
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
	f := finding{Status: Status{Note: job.Note}, inline: job.Inline}
	rebooted := job.Boot != bootID()
	// What is read after the lock was free will not change any more.
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
