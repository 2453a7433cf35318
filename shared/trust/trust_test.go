package trust

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

// tree makes DIR/a/b/file and returns DIR, below a sticky directory that everybody
// can write to.
func tree(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dv")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.MkdirAll(filepath.Join(dir, "a/b"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a/b/file"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestResolve(t *testing.T) {
	const stranger = 4321
	tests := []struct {
		name  string
		spoil func(dir string) error
		path  string // "a/b/file" unless set
		root  bool   // needs root
		want  string // in the message, "" if it is fine
	}{
		{name: "fine", spoil: func(string) error { return nil }},
		{name: "link", path: "l", spoil: func(dir string) error { return os.Symlink("a/../a/b/file", dir+"/l") }},
		{name: "link through a directory", path: "l/file", spoil: func(dir string) error { return os.Symlink(dir+"/a/b", dir+"/l") }},
		{name: "file of everybody", spoil: func(dir string) error { return os.Chmod(dir+"/a/b/file", 0o757) }, want: "file can be written by everybody; chmod o-w it"},
		{name: "directory of everybody", spoil: func(dir string) error { return os.Chmod(dir+"/a/b", 0o777) }, want: "a/b can be written by everybody"},
		{name: "sticky directory of everybody", spoil: func(dir string) error { return os.Chmod(dir+"/a/b", 0o777|fs.ModeSticky) }, want: "a/b can be written by everybody"},
		{name: "sticky directory on the way", spoil: func(dir string) error { return os.Chmod(dir+"/a", 0o777|fs.ModeSticky) }},
		{name: "directory on the way", spoil: func(dir string) error { return os.Chmod(dir+"/a", 0o777) }, want: "/a can be written by everybody"},
		{name: "behind a link", path: "l/file", spoil: func(dir string) error {
			return errors.Join(os.Symlink("a/b", dir+"/l"), os.Chmod(dir+"/a", 0o777))
		}, want: "/a can be written by everybody"},
		{name: "owner of the file", root: true, spoil: func(dir string) error { return os.Chown(dir+"/a/b/file", stranger, 0) }, want: "file belongs to uid 4321"},
		{name: "owner on the way", root: true, spoil: func(dir string) error { return os.Chown(dir+"/a", stranger, 0) }, want: "/a belongs to uid 4321"},
		{name: "owner of a link", root: true, path: "l", spoil: func(dir string) error {
			return errors.Join(os.Symlink("a/b/file", dir+"/l"), os.Lchown(dir+"/l", stranger, 0))
		}, want: "l belongs to uid 4321"},
		{name: "group on the way", root: true, spoil: func(dir string) error {
			return errors.Join(os.Chown(dir+"/a", 0, stranger), os.Chmod(dir+"/a", 0o775))
		}, want: "/a can be written by group 4321"},
		{name: "root's group", root: true, spoil: func(dir string) error { return os.Chmod(dir+"/a", 0o775) }},
		{name: "absent", path: "a/c", spoil: func(string) error { return nil }, want: "no such file"},
		{name: "circle", path: "l", spoil: func(dir string) error { return os.Symlink("l", dir+"/l") }, want: "too many levels"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.root && os.Geteuid() != 0 {
				t.Skip("needs root")
			}
			dir := tree(t)
			if err := tt.spoil(dir); err != nil {
				t.Fatal(err)
			}
			path := tt.path
			if path == "" {
				path = "a/b/file"
			}
			got, err := Resolve(filepath.Join(dir, path))
			switch {
			case tt.want == "" && (err != nil || got != filepath.Join(dir, "a/b/file")):
				t.Errorf("got %s, %v; want the file", got, err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want it to say %q", err, tt.want)
			}
		})
	}
	if _, err := Resolve("a/b"); !errors.Is(err, executor.Invalid) {
		t.Errorf("relative path: got %v, want invalid", err)
	}
}

func TestDir(t *testing.T) {
	dir := tree(t)
	for _, path := range []string{dir + "/a", dir + "/new"} {
		if err := Dir(path, 0o711, os.Geteuid(), os.Getegid()); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != fs.ModeDir|0o711 {
			t.Errorf("got %v, %v; want mode 0711", info.Mode(), err)
		}
	}
	if err := os.Symlink("/etc", dir+"/l"); err != nil {
		t.Fatal(err)
	}
	if err := Dir(dir+"/l", 0o700, os.Geteuid(), os.Getegid()); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("a link: got %v, want not a directory", err)
	}
}
