package linux

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Stat is what /proc/PID/stat says about a process.
type Stat struct {
	// Name is the beginning of the name of the program, unless the process has changed
	// that.
	Name string
	// State is 'Z' for a zombie.
	State   byte
	Parent  int
	Session int
	// Forked says that the process was forked and has not executed a program since. No
	// process can make that true again.
	Forked bool
	// Start is when the process started, in clock ticks since boot. With the pid it
	// identifies a process in one boot of the machine.
	Start uint64
	// CPU is the processor time that the process has used, and those of its children for
	// which it has waited.
	CPU     time.Duration
	Threads uint64
	// Exit is how a zombie has ended. It is zero without the right to trace it.
	Exit unix.WaitStatus
}

// StatOf reads the stat of a process.
func StatOf(pid int) (Stat, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Stat{}, err
	}
	return parseStat(b)
}

const (
	// forkNoExec is the kernel's PF_FORKNOEXEC.
	forkNoExec = 0x40
	// tick is the unit of processor time in /proc, USER_HZ, which is 100 on all
	// architectures that Go runs on.
	tick = time.Second / 100
)

func parseStat(b []byte) (Stat, error) {
	// The name in parentheses may contain anything.
	begin, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	f := strings.Fields(string(b[end+1:]))
	if len(f) < 20 || begin < 0 || end < begin {
		return Stat{}, fmt.Errorf("the stat of a process has %d fields: %.80q", len(f), b)
	}
	s := Stat{State: f[0][0], Name: string(b[begin+1 : end])}
	var errs [6]error
	var flags uint64
	flags, errs[4] = strconv.ParseUint(f[6], 10, 32)
	s.Forked = flags&forkNoExec != 0
	s.Parent, errs[0] = strconv.Atoi(f[1])
	s.Session, errs[1] = strconv.Atoi(f[3])
	for _, ticks := range f[11:15] { // in user mode, in the kernel, and both of children
		n, err := strconv.ParseInt(ticks, 10, 64)
		s.CPU += time.Duration(n) * tick
		errs[5] = errors.Join(errs[5], err)
	}
	s.Threads, _ = strconv.ParseUint(f[17], 10, 64)
	s.Start, errs[2] = strconv.ParseUint(f[19], 10, 64)
	if s.State == 'Z' && len(f) >= 50 {
		var exit uint64
		exit, errs[3] = strconv.ParseUint(f[49], 10, 32)
		s.Exit = unix.WaitStatus(exit)
	}
	return s, errors.Join(errs[:]...)
}

// BootID returns the kernel's name for the present boot of the machine.
func BootID() (string, error) { return bootID() }

var bootID = sync.OnceValues(func() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
})
