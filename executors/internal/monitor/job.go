package monitor

import (
	"encoding/json"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// Job says what to run and how. Either Path or Inline is set.
type Job struct {
	// Name is what ps shows behind the monitor, such as a ref.
	Name string
	// Note is kept for the caller, who finds it in Status.
	Note json.RawMessage

	// Path is the program, absolute in Root. Args begins with the program's name
	// as it is to see it.
	Path string
	Args []string
	// Inline is the name of an InlineFunc, to be run in the monitor's process with
	// Input. Root, User, Capabilities, Terminal and Cgroup are not for it.
	Inline string
	Input  []byte

	// Env is the whole environment.
	Env []string
	// Cwd is absolute in Root; "" is "/". Root is "" or "/", or another directory
	// to chroot to, which needs privileges, as does another User.
	Cwd, Root string
	User      *User
	// Umask is octal 022 if nil.
	Umask           *uint32
	NoNewPrivileges bool
	// Capabilities, unless nil, bound what the workload can ever have, by number.
	Capabilities []int
	OOMScoreAdj  *int
	Rlimits      []Rlimit
	// Terminal gives the workload a terminal, whose output goes to Stdout.
	Terminal *Terminal

	// Stdout and Stderr are files that exist and are appended to. "" discards.
	Stdout, Stderr string

	Cgroup Cgroup
}

// User is whom a workload runs as.
type User struct {
	UID, GID uint32
	Groups   []uint32
}

// Rlimit is one resource limit, by its number.
type Rlimit struct {
	Resource int
	Soft     uint64
	Hard     uint64
}

// Terminal is a terminal's size; zero is the kernel's default.
type Terminal struct{ Rows, Cols uint16 }

// Cgroup is where a workload's processes go. The zero value leaves them where the
// monitor is. Its cgroups are the workload's alone.
type Cgroup struct {
	// Dirs are made, joined, and removed at the end, in each hierarchy one.
	Dirs []CgroupDir `json:"dirs,omitempty"`
	// Files are written in this order before the workload joins.
	Files []CgroupFile `json:"files,omitempty"`
	// OOM is a file with a line "oom_kill N", if there is a memory controller.
	OOM string `json:"oom,omitempty"`
}

// CgroupDir is a cgroup in one hierarchy.
type CgroupDir struct {
	Path string `json:"path"`
	// Home is the cgroup to which the monitor returns, in hierarchies of version
	// 1. It is empty in that of version 2.
	Home string `json:"home,omitempty"`
}

// CgroupFile is a value for a file of a cgroup.
type CgroupFile struct {
	Path  string `json:"path"`
	Value string `json:"value"`
}

// Phase is where a workload stands.
type Phase int

const (
	// NeverRan: nothing was started, and nothing will be.
	NeverRan Phase = iota
	// Starting: a monitor is about to start it.
	Starting
	// Running: its first process lives.
	Running
	// Ended: its first process has ended. Others may still be about to.
	Ended
)

// Status is what is known about a workload.
type Status struct {
	Phase Phase
	// Note is the Job's.
	Note json.RawMessage
	// PID is the first process, 0 unless Running.
	PID int
	// StartedAt is zero if the workload never ran.
	StartedAt time.Time
	// Exit is set if Ended. Its source is Recovered or Lost.
	Exit *executor.Exit
	// Complete says that all that the workload wrote is in its files. Only Wait
	// knows.
	Complete bool
}
