package executor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// diskFaults are the errors of a disk that is full or read-only, each with its
// remedy.
var diskFaults = []struct {
	errno  syscall.Errno
	remedy string
}{
	{syscall.ENOSPC, "make room on the disk of "},
	{syscall.EDQUOT, "raise the quota on the disk of "},
	{syscall.EROFS, "make writable again "},
}

// DiskFault reports whether err says that a disk is full or read-only. Such an error
// goes away once the disk has room or is writable again.
func DiskFault(err error) bool { return diskRemedy(err) != "" }

// diskRemedy returns the remedy for a disk fault, "" for other errors.
func diskRemedy(err error) string {
	if err == nil {
		return ""
	}
	for _, f := range diskFaults {
		if errors.Is(err, f.errno) || isPathError(err.Error(), f.errno) {
			return f.remedy
		}
	}
	return ""
}

// isPathError reports whether the text of an error, which may have come from another
// process, is that of an [fs.PathError] with an errno: an operation and a path, after at
// most the names of programs. What a workload's hooks print, or how its command is
// called, stands within other words.
func isPathError(text string, errno syscall.Errno) bool {
	text, ok := strings.CutSuffix(text, ": "+errno.Error())
	words := strings.Fields(text)
	for ok && len(words) > 2 && strings.HasSuffix(words[0], ":") {
		words = words[1:]
	}
	return ok && len(words) == 2 && !strings.ContainsAny(words[0]+words[1], `:"`)
}

// ExplainDisk adds the remedy to the error of a disk that is full or read-only. The
// error becomes [Unavailable] unless it has a code. dir is the directory that the
// operation was about; "" takes it from the error. Other errors, and those that are
// explained already, are returned unchanged.
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
