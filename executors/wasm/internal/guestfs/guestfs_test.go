package guestfs

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	experimentalsys "github.com/tetratelabs/wazero/experimental/sys"
)

// site is a tree over directories that a test owns:
//
//	outside/secret
//	root/file, root/dir/inner, root/covered/hidden, links
//	data/file        at /data
//	data/file        at /covered, read-only
//	single           at /etc/single, read-only; the root has no /etc
type site struct {
	*Tree
	dir string
}

func newSite(t *testing.T) site {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"outside/secret":      "secret",
		"root/file":           "root file",
		"root/dir/inner":      "inner",
		"root/covered/hidden": "hidden",
		"data/file":           "data file",
		"ro/file":             "read-only file",
		"single":              "single",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{
		"root/up":        "../outside/secret",
		"root/dir/up":    "../../../../../outside/secret",
		"root/abs":       dir + "/outside/secret",
		"root/absfile":   "/file",
		"root/todata":    "data/file",
		"root/tocovered": "/covered/hidden",
		"root/dir/over":  "../covered/../covered/file",
		"root/loop":      "loop",
		"root/dangling":  "dir/new",
		"data/back":      "/file",
		"data/up":        "../file",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := New([]Mount{
		{Source: dir + "/root", Target: "/"},
		{Source: dir + "/data", Target: "/data"},
		{Source: dir + "/ro", Target: "/covered/", ReadOnly: true},
		{Source: dir + "/single", Target: "/etc/conf/single", ReadOnly: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
	})
	return site{tree, dir}
}

// read returns a file's content, or an error's text.
func (s site) read(name string) string {
	f, e := s.OpenFile(name, experimentalsys.O_RDONLY, 0)
	if e != 0 {
		return e.Error()
	}
	defer f.Close()
	buf := make([]byte, 100)
	n, e := f.Read(buf)
	if e != 0 {
		return e.Error()
	}
	return string(buf[:n])
}

func TestRead(t *testing.T) {
	s := newSite(t)
	missing := experimentalsys.ENOENT.Error()
	tests := map[string]struct{ name, want string }{
		"file":                     {"file", "root file"},
		"absolute":                 {"/file", "root file"},
		"in a directory":           {"dir//./inner", "inner"},
		"dots":                     {"dir/../file", "root file"},
		"dots above the root":      {"../../../file", "root file"},
		"file as a directory":      {"file/x", experimentalsys.ENOTDIR.Error()},
		"slash behind a file":      {"file/", experimentalsys.ENOTDIR.Error()},
		"mount":                    {"data/file", "data file"},
		"dots out of a mount":      {"data/../file", "root file"},
		"mounted file":             {"etc/conf/single", "single"},
		"dots past blanks":         {"etc/conf/../../file", "root file"},
		"missing below a blank":    {"etc/passwd", missing},
		"covered":                  {"covered/hidden", missing},
		"covering":                 {"covered/file", "read-only file"},
		"link up":                  {"up", missing},
		"link far up":              {"dir/up", missing},
		"absolute link":            {"abs", missing},
		"absolute link to a file":  {"absfile", "root file"},
		"link to a mount":          {"todata", "data file"},
		"link to what is covered":  {"tocovered", missing},
		"link across mounts":       {"dir/over", "read-only file"},
		"absolute link of a mount": {"data/back", "root file"},
		"link out of a mount":      {"data/up", "root file"},
		"loop":                     {"loop", experimentalsys.ELOOP.Error()},
		"directory":                {"dir", experimentalsys.EISDIR.Error()},
		"zero byte":                {"fi\x00le", experimentalsys.EINVAL.Error()},
		"long name":                {strings.Repeat("x", 5000), experimentalsys.EIO.Error()},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := s.read(tt.name)
			if name == "long name" && got == experimentalsys.ENAMETOOLONG.Error() {
				return
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestReadOnly(t *testing.T) {
	s := newSite(t)
	const ro = experimentalsys.EROFS
	open := func(flag experimentalsys.Oflag, name string) experimentalsys.Errno {
		f, e := s.OpenFile(name, flag, 0o600)
		if e == 0 {
			f.Close()
		}
		return e
	}
	reader, e := s.OpenFile("covered/file", experimentalsys.O_RDONLY, 0)
	if e != 0 {
		t.Fatal(e)
	}
	defer reader.Close()
	tests := map[string]func() experimentalsys.Errno{
		"open for writing": func() experimentalsys.Errno { return open(experimentalsys.O_WRONLY, "covered/file") },
		"open for both":    func() experimentalsys.Errno { return open(experimentalsys.O_RDWR, "covered/file") },
		"truncate":         func() experimentalsys.Errno { return open(experimentalsys.O_TRUNC, "covered/file") },
		"make by reading":  func() experimentalsys.Errno { return open(experimentalsys.O_CREAT, "covered/new") },
		"make": func() experimentalsys.Errno {
			return open(experimentalsys.O_CREAT|experimentalsys.O_WRONLY, "covered/new")
		},
		"make in a blank":   func() experimentalsys.Errno { return open(experimentalsys.O_CREAT|experimentalsys.O_WRONLY, "etc/new") },
		"mounted file":      func() experimentalsys.Errno { return open(experimentalsys.O_WRONLY, "etc/conf/single") },
		"mkdir":             func() experimentalsys.Errno { return s.Mkdir("covered/new", 0o700) },
		"unlink":            func() experimentalsys.Errno { return s.Unlink("covered/file") },
		"rename away":       func() experimentalsys.Errno { return s.Rename("covered/file", "file2") },
		"rename into":       func() experimentalsys.Errno { return s.Rename("file", "covered/new") },
		"link into":         func() experimentalsys.Errno { return s.Link("file", "covered/new") },
		"symlink":           func() experimentalsys.Errno { return s.Symlink("x", "covered/new") },
		"times":             func() experimentalsys.Errno { return s.Utimens("covered/file", 0, 0) },
		"times by the root": func() experimentalsys.Errno { return s.Utimens("covered", 0, 0) },
		"times by a file":   func() experimentalsys.Errno { return reader.Utimens(0, 0) },
	}
	for name, op := range tests {
		t.Run(name, func(t *testing.T) {
			if got := op(); got != ro {
				t.Errorf("got %q, want %q", got, ro)
			}
		})
	}
	if entries, err := os.ReadDir(s.dir + "/ro"); err != nil || len(entries) != 1 {
		t.Errorf("the directory has %v, %v", entries, err)
	}
	if b, err := os.ReadFile(s.dir + "/ro/file"); err != nil || string(b) != "read-only file" {
		t.Errorf("the file has %q, %v", b, err)
	}
}

// TestChange creates, changes and removes files, and checks them from outside.
func TestChange(t *testing.T) {
	s := newSite(t)
	must := func(what string, e experimentalsys.Errno) {
		t.Helper()
		if e != 0 {
			t.Fatalf("%s: %v", what, e)
		}
	}
	write := func(name string, flag experimentalsys.Oflag, text string) {
		t.Helper()
		f, e := s.OpenFile(name, flag|experimentalsys.O_WRONLY, 0o600)
		must("open "+name, e)
		_, e = f.Write([]byte(text))
		must("write", e)
		must("close", f.Close())
	}
	want := func(name, text string) {
		t.Helper()
		if b, err := os.ReadFile(filepath.Join(s.dir, name)); err != nil || string(b) != text {
			t.Errorf("%s has %q, %v; want %q", name, b, err, text)
		}
	}
	write("dangling", experimentalsys.O_CREAT, "one")
	want("root/dir/new", "one")
	write("dir/new", experimentalsys.O_APPEND, " two")
	want("root/dir/new", "one two")
	write("dir/new", experimentalsys.O_CREAT|experimentalsys.O_TRUNC, "three")
	want("root/dir/new", "three")
	must("mkdir", s.Mkdir("data/sub/", 0o700))
	must("link", s.Link("file", "dir/linked"))
	want("root/dir/linked", "root file")
	must("rename", s.Rename("dir/new", "dir/newer"))
	want("root/dir/newer", "three")
	must("symlink", s.Symlink("../file", "data/sub/l"))
	if got, e := s.Readlink("data/sub/l"); e != 0 || got != "../file" {
		t.Errorf("readlink: got %q, %v", got, e)
	}
	if got := s.read("data/sub/l"); got != "data file" {
		t.Errorf("by the link: got %q", got)
	}
	must("times", s.Utimens("dir/newer", 5e9, 7e9))
	if st, e := s.Stat("dir/newer"); e != 0 || st.Mtim != 7e9 || st.Atim != 5e9 || st.Size != 5 || !st.Mode.IsRegular() {
		t.Errorf("stat: got %+v, %v", st, e)
	}
	must("unlink", s.Unlink("data/sub/l"))
	must("rmdir", s.Rmdir("data/sub"))

	for name, tt := range map[string]struct{ got, want experimentalsys.Errno }{
		"exclusive":         {second(s.OpenFile("file", experimentalsys.O_CREAT|experimentalsys.O_EXCL|experimentalsys.O_WRONLY, 0o600)), experimentalsys.EEXIST},
		"exclusive, a link": {second(s.OpenFile("loop", experimentalsys.O_CREAT|experimentalsys.O_EXCL|experimentalsys.O_WRONLY, 0o600)), experimentalsys.EEXIST},
		"no follow":         {second(s.OpenFile("absfile", experimentalsys.O_NOFOLLOW, 0)), experimentalsys.ELOOP},
		"symlink, absolute": {s.Symlink("/etc/passwd", "l"), experimentalsys.EPERM},
		"unlink a dir":      {s.Unlink("dir"), experimentalsys.EISDIR},
		"unlink with slash": {s.Unlink("file/"), experimentalsys.ENOTDIR},
		"rmdir of a mount":  {s.Rmdir("data"), experimentalsys.EPERM},
		"rename of a mount": {s.Rename("data", "d"), experimentalsys.EPERM},
		"rename over root":  {s.Rename("dir", "/"), experimentalsys.EPERM},
		"rmdir of the root": {s.Rmdir("."), experimentalsys.EPERM},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %q, want %q", name, tt.got, tt.want)
		}
	}
	want("outside/secret", "secret")
}

func second[T any](_ T, e experimentalsys.Errno) experimentalsys.Errno { return e }

func TestReaddir(t *testing.T) {
	s := newSite(t)
	for dir, want := range map[string][]string{
		".":         {"abs", "absfile", "covered", "dangling", "data", "dir", "etc", "file", "loop", "tocovered", "todata", "up"},
		"covered":   {"file"},
		"etc":       {"conf"},
		"/etc/conf": {"single"},
	} {
		f, e := s.OpenFile(dir, experimentalsys.O_DIRECTORY, 0)
		if e != 0 {
			t.Fatalf("%s: %v", dir, e)
		}
		for range 2 {
			var got []string
			for {
				some, e := f.Readdir(2)
				if e != 0 {
					t.Fatal(e)
				}
				if len(some) == 0 {
					break
				}
				for _, d := range some {
					got = append(got, d.Name)
				}
			}
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", dir, got, want)
			}
			if _, e := f.Seek(0, 0); e != 0 {
				t.Fatal(e)
			}
		}
		f.Close()
	}
}

func TestDeviceIsRefused(t *testing.T) {
	s := newSite(t)
	if err := syscall.Mknod(s.dir+"/root/null", syscall.S_IFCHR|0o666, 1<<8|3); err != nil {
		t.Skip("devices cannot be made here: ", err)
	}
	if _, e := s.OpenFile("null", experimentalsys.O_RDWR, 0); e != experimentalsys.EPERM {
		t.Errorf("got %v, want %v", e, experimentalsys.EPERM)
	}
	if st, e := s.Stat("null"); e != 0 || st.Mode&fs.ModeCharDevice == 0 {
		t.Errorf("stat: got %v, %v", st.Mode, e)
	}
}

func TestNewIsRefused(t *testing.T) {
	dir := t.TempDir()
	for name, tt := range map[string]struct {
		mounts []Mount
		want   string
	}{
		"no root":     {[]Mount{{Source: dir, Target: "/data"}}, "no mount at /"},
		"no source":   {[]Mount{{Source: dir + "/none", Target: "/"}}, "none"},
		"no absolute": {[]Mount{{Source: dir, Target: "data"}}, "not absolute"},
	} {
		if _, err := New(tt.mounts); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, tt.want)
		}
	}
}
