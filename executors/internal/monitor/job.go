package monitor

import (
	"encoding/json"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// Job says what to run and how. Either Args or Inline is set.
type Job struct {
	// Name is what ps shows after the monitor, such as a ref.
	Name string
	// Note is kept for the caller, who finds it in Status.
	Note json.RawMessage

	// Path is the program, absolute in Root. If it is empty, the program is Args[0], looked
	// up in the PATH of Env. Args begins with the program's own name, as in argv.
	Path string
	Args []string
	// Inline is the name of an InlineFunc, to be run in the monitor's process with
	// Input. Root, User, Capabilities, Terminal and Cgroup do not apply to it.
	Inline string
	Input  []byte

	// Env is the whole environment.
	Env []string
	// Cwd is absolute in Root; "" is "/". Root is "" or "/", or another directory
	// to chroot to, which needs privileges, as does another User. In such a Root, a Cwd
	// that does not exist is made.
	Cwd, Root string
	// NetNS is the path of the network namespace that the workload is in, [NewNetNS] for one
	// of its own that has only a loopback, or empty for that of the machine. Sysctls, by their
	// names, are set in it.
	NetNS   string
	Sysctls map[string]string
	// Contain is nil for a workload that sees all of the machine, or all of Root as it is.
	Contain *Contain
	// Beside, unless empty, is the directory of another workload, within which this one
	// runs: with its root, namespaces, cgroups and filter, for which this job has nothing.
	// What this one leaves behind goes on, until that one ends. BesidePID is its first
	// process: it may have been replaced.
	Beside    string
	BesidePID int
	// Joins is set by Start.
	Joins *Join
	User  *User
	// Umask is octal 022 if nil.
	Umask           *uint32
	NoNewPrivileges bool
	// Capabilities, unless nil, are the most that the workload can ever have, by
	// number.
	Capabilities []int
	// Seccomp, unless nil, says which system calls the workload may make. Without
	// CAP_SYS_ADMIN it implies NoNewPrivileges.
	Seccomp     *Filter
	OOMScoreAdj *int
	Rlimits     []Rlimit
	// Terminal, unless nil, gets the workload a terminal, whose output goes to
	// Stdout.
	Terminal *Terminal

	// Stdin is a FIFO that exists, or null.
	Stdin executor.Stream
	// Stdout and Stderr are files that exist and are appended to, or null. If both have
	// the same path, they are one stream.
	Stdout, Stderr executor.Stream

	Cgroup Cgroup
}

// Filter is a filter of system calls.
type Filter struct {
	// Program is its code: instructions of 8 bytes, in the machine's byte order. Flags are
	// those of seccomp(2).
	Program []byte
	Flags   uintptr
}

// User is the user that a workload runs as.
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

// Cgroup names the cgroups of a workload's processes, which are the workload's alone.
// The zero value leaves them where the monitor is.
type Cgroup struct {
	// Dirs are created, joined, and removed at the end, one in each hierarchy.
	Dirs []CgroupDir `json:"dirs,omitempty"`
	// Files are written in this order before the workload joins.
	Files []CgroupFile `json:"files,omitempty"`
	// Freezer is the one of Dirs that can be frozen, "" if none can.
	Freezer string `json:"freezer,omitempty"`
	// Joined says that they are another workload's, and only joined.
	Joined bool `json:"joined,omitempty"`
	// OOM is a file with a line "oom_kill N", if there is a memory controller.
	OOM string `json:"oom,omitempty"`
}

// CgroupDir is a cgroup in one hierarchy.
type CgroupDir struct {
	Path string `json:"path"`
	// Home is the cgroup to which the monitor returns, in hierarchies of version
	// 1. It is empty in that of version 2.
	Home string `json:"home,omitempty"`
	// Cpuset is the root of the hierarchy if it is that of cpuset of version 1, where a
	// new cgroup has no processors until it is given some.
	Cpuset string `json:"cpuset,omitempty"`
	// Top is the cgroup below which those that Path is in are removed too when they are
	// empty. It is empty if they are not ours.
	Top string `json:"top,omitempty"`
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
	// Paused says that a Running workload is frozen.
	Paused bool
	// StartedAt is zero if the workload never ran.
	StartedAt time.Time
	// Exit is set if Ended. Its source is Recovered or Lost.
	Exit *executor.Exit
	// Complete says that all that the workload wrote is in its files. Only Wait
	// knows.
	Complete bool
}
