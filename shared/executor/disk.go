package executor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// diskFaults are the errors of a disk that has no room or takes no writes, and
// what helps.
var diskFaults = []struct {
	errno  syscall.Errno
	remedy string
}{
	{syscall.ENOSPC, "make room on the disk of "},
	{syscall.EDQUOT, "raise the quota on the disk of "},
	{syscall.EROFS, "make writable again "},
}

// DiskFault reports whether err says that a disk is full or read-only. Such an
// error goes away by itself, once somebody has seen to the disk.
func DiskFault(err error) bool { return diskRemedy(err) != "" }

// diskRemedy also knows errors that came as text from another process.
func diskRemedy(err error) string {
	if err == nil {
		return ""
	}
	for _, f := range diskFaults {
		if errors.Is(err, f.errno) || strings.Contains(err.Error(), f.errno.Error()) {
			return f.remedy
		}
	}
	return ""
}

// ExplainDisk adds to the error of a disk that is full or read-only what to do
// about it, and makes it [Unavailable] unless it has a code. dir is the directory
// that the operation was about; "" takes it from the error. Other errors, and
// those that were explained before, are given back as they are.
func ExplainDisk(dir string, err error) error {
	remedy := diskRemedy(err)
	if remedy == "" || strings.Contains(err.Error(), remedy) {
		return err
	}
	if dir == "" {
		dir = dirOf(err)
	}
	code := CodeOf(err)
	if code == Internal {
		code = Unavailable
	}
	return Errorf(code, "%w; %s%s and try again", err, remedy, dir)
}

func dirOf(err error) string {
	path := ""
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		path = e.Path
	} else if e, ok := errors.AsType[*os.LinkError](err); ok {
		path = e.New
	}
	if !filepath.IsAbs(path) {
		return "that directory"
	}
	return filepath.Dir(path)
}
