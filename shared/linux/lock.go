package linux

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockPoll is how often a lock that another process has is tried again.
const lockPoll = 10 * time.Millisecond

// Lock takes the exclusive lock of an open file or directory, and waits for it at
// most as long as wait says. The lock lasts until all descriptors of this opening of
// the file are closed, also those that children have inherited. The error is a
// [*LockedError] if another process has the lock.
func Lock(f *os.File, wait time.Duration) error {
	for deadline := time.Now().Add(wait); ; time.Sleep(lockPoll) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EWOULDBLOCK):
			return fmt.Errorf("lock on %s: %w", f.Name(), err)
		case !time.Now().Before(deadline):
			e := &LockedError{Name: f.Name()}
			if err := unix.Fstat(int(f.Fd()), &e.file); err != nil {
				return fmt.Errorf("lock on %s: %w", f.Name(), err)
			}
			return e
		}
	}
}

// LockedError says that another process has a lock.
type LockedError struct {
	Name string // of the file
	file unix.Stat_t
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("%s is locked by another process%s", e.Name, e.Holder())
}

// Unwrap returns [unix.EWOULDBLOCK].
func (e *LockedError) Unwrap() error { return unix.EWOULDBLOCK }

// Holder returns the process that has taken the lock, for people: " (pid 4242)". It
// returns "" if the process is unknown: it is another container's, or is gone and has
// left the lock to its children.
func (e *LockedError) Holder() string {
	locks, _ := os.ReadFile("/proc/locks")
	if pid := holder(string(locks), e.file); pid != "" {
		return " (pid " + pid + ")"
	}
	return ""
}

// LockHolder returns the process that has locked the file at a path, for people: "pid 4242". It
// returns "" if nobody has, or the process is unknown. It locks nothing itself.
func LockHolder(path string) string {
	e := &LockedError{Name: path}
	if err := unix.Lstat(path, &e.file); err != nil {
		return ""
	}
	return strings.Trim(e.Holder(), " ()")
}

// holder finds the process that has locked a file in the text of /proc/locks. That
// text has the device of the file system, and some file systems (btrfs, overlay) show
// another device in stat. So without an entry for the device, one that is alone with
// its inode is taken.
func holder(locks string, file unix.Stat_t) string {
	device := fmt.Sprintf("%02x:%02x:%d", unix.Major(file.Dev), unix.Minor(file.Dev), file.Ino)
	inode := fmt.Sprintf(":%d", file.Ino)
	var others []string
	for line := range strings.Lines(locks) {
		// 1: FLOCK  ADVISORY  WRITE 4242 fe:00:393478 0 EOF
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[1] != "FLOCK" || fields[4] == "0" || fields[4] == "-1" {
			continue
		}
		if fields[5] == device {
			return fields[4]
		}
		if strings.HasSuffix(fields[5], inode) {
			others = append(others, fields[4])
		}
	}
	if len(others) == 1 {
		return others[0]
	}
	return ""
}
