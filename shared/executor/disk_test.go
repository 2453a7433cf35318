package executor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"
)

func TestExplainDisk(t *testing.T) {
	full := &fs.PathError{Op: "mkdir", Path: "/srv/x/y", Err: syscall.ENOSPC}
	for _, c := range []struct {
		name, dir string
		err       error
		code      Code
		want      string
	}{
		{"nothing", "/a", nil, "", ""},
		{"something else", "/a", os.ErrPermission, Internal, "permission denied"},
		{"full", "/a", full, Unavailable, "mkdir /srv/x/y: no space left on device; make room on the disk of /a and try again"},
		{"directory from the error", "", full, Unavailable, "mkdir /srv/x/y: no space left on device; make room on the disk of /srv/x and try again"},
		{"two names", "", &os.LinkError{Op: "rename", Old: "/a/b", New: "/c/d", Err: syscall.EROFS}, Unavailable, "rename /a/b /c/d: read-only file system; make writable again /c and try again"},
		{"text of another process", "", errors.New("runc: write x: disk quota exceeded"), Unavailable, "runc: write x: disk quota exceeded; raise the quota on the disk of that directory and try again"},
		{"a program of that name", "", errors.New(`exec: "/no space left on device": stat /no space left on device: no such file or directory`), Internal, `exec: "/no space left on device": stat /no space left on device: no such file or directory`},
		{"what a hook prints", "", errors.New("error running hook #0: exit status 1, stderr: write x: no space left on device"), Internal, "error running hook #0: exit status 1, stderr: write x: no space left on device"},
		{"with a code", "/a", Errorf(OutcomeUnknown, "commit: %w", full), OutcomeUnknown, "commit: mkdir /srv/x/y: no space left on device; make room on the disk of /a and try again"},
		{"explained before", "/b", ExplainDisk("/a", full), Unavailable, "mkdir /srv/x/y: no space left on device; make room on the disk of /a and try again"},
	} {
		got := ExplainDisk(c.dir, c.err)
		if CodeOf(got) != c.code || c.err != nil && got.Error() != c.want {
			t.Errorf("%s: got %s %q, want %s %q", c.name, CodeOf(got), fmt.Sprint(got), c.code, c.want)
		}
		if c.err != nil && !errors.Is(got, c.err) && errors.Unwrap(c.err) != nil {
			t.Errorf("%s: %v does not wrap %v", c.name, got, c.err)
		}
	}
}
