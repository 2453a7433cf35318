package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// make a tree of files, whose names end with a slash for directories and whose contents
// begin with -> for links.
func makeTree(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if to, ok := strings.CutPrefix(content, "->"); ok {
			err = os.Symlink(to, path)
		} else if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(path, 0o755)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// seen returns the files below a directory, as makeTree takes them.
func seen(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		switch {
		case err != nil || name == ".":
			return err
		case d.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			files[name] = "->" + to
			return err
		case d.IsDir():
			files[name+"/"] = ""
		case d.Type().IsRegular():
			b, err := os.ReadFile(path)
			files[name] = string(b)
			return err
		default:
			files[name] = d.Type().String()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func wantTree(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	if got := fmt.Sprint(seen(t, dir)); got != fmt.Sprint(want) {
		t.Errorf("%s has %s\nwant %v", dir, got, want)
	}
}

func openRoot(t *testing.T, open func(string) (*Root, error), dir string) *Root {
	t.Helper()
	r, err := open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func pack(t *testing.T, path, name string) []byte {
	t.Helper()
	f, err := OpenPath(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b bytes.Buffer
	if err := Pack(&b, f, name, IDs{}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// archive returns a tar stream of headers. Files have their names as contents.
func archive(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Typeflag == 0 {
			h.Typeflag, h.Size = tar.TypeReg, int64(len(h.Name))
		}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			_, _ = io.WriteString(w, h.Name)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var own = UnpackOptions{UID: os.Getuid(), GID: os.Getgid()}

// What is packed and unpacked is the same again: types, modes, times, links, attributes.
func TestThereAndBack(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	files := map[string]string{"a": "one", "dir/": "", "dir/b": strings.Repeat("two", 100000), "dir/empty/": "", "link": "->a", "away": "->/etc/passwd", strings.Repeat("long/", 40) + "name": "deep"}
	makeTree(t, from, files)
	then := time.Unix(1e9, 0)
	for _, err := range []error{
		os.Link(from+"/a", from+"/hard"), unix.Mkfifo(from+"/fifo", 0o640), os.Chmod(from+"/a", 0o751|fs.ModeSetuid), os.Chmod(from+"/dir", 0o700),
		os.Chtimes(from+"/a", then, then), os.Chtimes(from+"/dir", then, then), unix.Mknod(from+"/socket", unix.S_IFSOCK|0o600, 0),
		unsupported(unix.Setxattr(from+"/a", "user.note", []byte("x\x00y"), 0)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	raw := pack(t, from, "new/name")
	if err := openRoot(t, OpenDir, to).Unpack(".", bytes.NewReader(raw), own); err != nil {
		t.Fatal(err)
	}
	want := seen(t, from)
	delete(want, "socket")
	wantTree(t, to+"/new/name", want)
	var a, hard, fifo, dir unix.Stat_t
	for path, st := range map[string]*unix.Stat_t{"a": &a, "hard": &hard, "fifo": &fifo, "dir": &dir} {
		if err := unix.Lstat(filepath.Join(to, "new/name", path), st); err != nil {
			t.Fatal(err)
		}
	}
	if a.Ino != hard.Ino || a.Mode != unix.S_IFREG|unix.S_ISUID|0o751 || fifo.Mode != unix.S_IFIFO|0o640 || dir.Mode != unix.S_IFDIR|0o700 {
		t.Errorf("got inodes %d and %d, modes %o, %o and %o", a.Ino, hard.Ino, a.Mode, fifo.Mode, dir.Mode)
	}
	if a.Mtim.Sec != 1e9 || dir.Mtim.Sec != 1e9 {
		t.Errorf("got times %d and %d", a.Mtim.Sec, dir.Mtim.Sec)
	}
	b := make([]byte, 10)
	if n, err := unix.Getxattr(to+"/new/name/a", "user.note", b); unsupported(err) != nil || err == nil && string(b[:n]) != "x\x00y" {
		t.Errorf("got the attribute %q, %v", b[:max(n, 0)], err)
	}
}

func TestOwners(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	raw := archive(t, tar.Header{Name: "x", Uid: 7, Gid: 8})
	ids := IDs{UIDs: []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 10}}, GIDs: []specs.LinuxIDMapping{{ContainerID: 0, HostID: 2000, Size: 10}}}
	for _, test := range []struct {
		options  UnpackOptions
		uid, gid uint32
	}{
		{UnpackOptions{}, 0, 0},
		{UnpackOptions{KeepOwners: true}, 7, 8},
		{UnpackOptions{KeepOwners: true, IDs: ids}, 1007, 2008},
		{UnpackOptions{IDs: ids}, 1000, 2000},
	} {
		dir := t.TempDir()
		if err := openRoot(t, OpenDir, dir).Unpack(".", bytes.NewReader(raw), test.options); err != nil {
			t.Fatal(err)
		}
		f, err := OpenPath(dir+"/x", false)
		if err != nil {
			t.Fatal(err)
		}
		st, _ := stat(f)
		info, err := Describe(f, test.options.IDs)
		_ = f.Close()
		if st.Uid != test.uid || st.Gid != test.gid || err != nil || info.UID != test.uid%1000 {
			t.Errorf("%+v: got owner %d:%d, %+v, %v", test.options, st.Uid, st.Gid, info, err)
		}
	}
	far := archive(t, tar.Header{Name: "x", Uid: 10})
	err := openRoot(t, OpenDir, t.TempDir()).Unpack(".", bytes.NewReader(far), UnpackOptions{KeepOwners: true, IDs: ids})
	if !errors.Is(err, executor.Invalid) || !strings.Contains(err.Error(), "owner 10 ") {
		t.Errorf("an owner outside the namespace: got %v", err)
	}
}

// Nothing that leads out of the directory is made, and nothing outside is touched.
func TestEscapes(t *testing.T) {
	secret := t.TempDir()
	link := func(name, to string) tar.Header {
		return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to}
	}
	hard := func(name, to string) tar.Header {
		return tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: to}
	}
	file := func(name string) tar.Header { return tar.Header{Name: name} }
	for name, test := range map[string]struct {
		headers []tar.Header
		want    string
	}{
		"absolute name":         {[]tar.Header{file(secret + "/x")}, "absolute name"},
		"dots":                  {[]tar.Header{file("../x")}, "leads out of the directory"},
		"dots within":           {[]tar.Header{file("a/../../x")}, "leads out of the directory"},
		"only dots":             {[]tar.Header{{Typeflag: tar.TypeDir, Name: ".."}}, "leads out of the directory"},
		"link, then through it": {[]tar.Header{link("l", secret), file("l/x")}, "l, a link that the archive itself has made"},
		"relative link":         {[]tar.Header{link("l", "../../.."), file("l/x")}, "l, a link that the archive itself has made"},
		"deep through a link":   {[]tar.Header{link("a/l", secret), file("a/l/b/c/x")}, "a/l, a link that"},
		"hard link to outside":  {[]tar.Header{hard("h", secret+"/s")}, "absolute name"},
		"hard link with dots":   {[]tar.Header{hard("h", "../s")}, "leads out of the directory"},
		"hard link by a link":   {[]tar.Header{link("l", secret), hard("h", "l/s")}, "l, a link that the archive itself has made"},
		"device":                {[]tar.Header{{Typeflag: tar.TypeChar, Name: "null", Devmajor: 1, Devminor: 3}}, "devices are not made"},
		"file over directory":   {[]tar.Header{file("there")}, "there is a directory in its place"},
		"directory over file":   {[]tar.Header{{Typeflag: tar.TypeDir, Name: "old"}}, "there is a file in its place"},
		"directory over a link": {[]tar.Header{link("l", secret), {Typeflag: tar.TypeDir, Name: "l"}}, "there is a file in its place"},
		"file below a file":     {[]tar.Header{file("old/x")}, "not a directory"},
		"the directory":         {[]tar.Header{file("a/..")}, "cannot be replaced"},
		"through an old link":   {[]tar.Header{file("outside/x")}, "link"},
	} {
		for kind, open := range map[string]func(string) (*Root, error){"root": OpenRoot, "dir": OpenDir} {
			t.Run(name+" in a "+kind, func(t *testing.T) {
				want := test.want
				if kind == "root" && name == "through an old link" {
					want = "no such file" // the link leads to nothing within the root
				}
				dir := t.TempDir()
				makeTree(t, secret, map[string]string{"s": "secret"})
				makeTree(t, dir, map[string]string{"there/": "", "old": "old", "outside": "->" + secret})
				err := openRoot(t, open, dir).Unpack(".", bytes.NewReader(archive(t, test.headers...)), own)
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
				wantTree(t, secret, map[string]string{"s": "secret"})
				if got := seen(t, dir); got["old"] != "old" || got["there/"] != "" {
					t.Errorf("what was there has become %v", got)
				}
				for name := range seen(t, dir) {
					if strings.HasPrefix(filepath.Base(name), ".davit-") {
						t.Errorf("%s is left", name)
					}
				}
			})
		}
	}
}

// Links of the tree are followed in it, as what runs there would follow them.
func TestLinksOfTheTree(t *testing.T) {
	dir := t.TempDir()
	makeTree(t, dir, map[string]string{"usr/lib/": "", "lib": "->usr/lib", "abs": "->/usr/lib", "up": "->../../../usr/lib"})
	raw := archive(t, tar.Header{Name: "lib/a"}, tar.Header{Name: "abs/b"}, tar.Header{Name: "up/c"}, tar.Header{Name: "new/d"}, tar.Header{Typeflag: tar.TypeDir, Name: "lib/"})
	r := openRoot(t, OpenRoot, dir)
	if err := r.Unpack(".", bytes.NewReader(raw), own); err != nil {
		t.Fatal(err)
	}
	wantTree(t, dir, map[string]string{"usr/": "", "usr/lib/": "", "lib": "->usr/lib", "abs": "->/usr/lib", "up": "->../../../usr/lib",
		"usr/lib/a": "lib/a", "usr/lib/b": "abs/b", "usr/lib/c": "up/c", "new/": "", "new/d": "new/d"})
	for path, want := range map[string]string{"/abs/a": "/usr/lib/a", "../../lib": "/usr/lib", "/": "/", "": "/", "up/../..": "/"} {
		f, err := r.Open(path, true)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got, err := r.Inside(f); got != want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", path, got, err, want)
		}
		_ = f.Close()
	}
	if f, err := openRoot(t, OpenRoot, "/").Open("/proc/self/root/etc", true); !errors.Is(err, unix.ELOOP) {
		t.Errorf("through a link of /proc: got %v, %v", f, err)
	}
}

// A stream that breaks off is an error, and what was there is still there.
func TestBrokenStreams(t *testing.T) {
	whole := archive(t, tar.Header{Name: "old"}, tar.Header{Name: "new"})
	for name, test := range map[string]struct {
		stream io.Reader
		want   string
	}{
		"within a file":   {bytes.NewReader(whole[:514]), "broke off"},
		"within a header": {bytes.NewReader(whole[:300]), "broke off"},
		"not tar":         {strings.NewReader(strings.Repeat("no tar at all ", 100)), "not a tar stream"},
		"failing":         {io.MultiReader(bytes.NewReader(whole[:513]), failing{}), "it fails"},
		"failing after":   {io.MultiReader(bytes.NewReader(whole), failing{}), "it fails"},
	} {
		dir := t.TempDir()
		makeTree(t, dir, map[string]string{"old": "before"})
		err := openRoot(t, OpenDir, dir).Unpack(".", test.stream, own)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
		if name != "failing after" {
			wantTree(t, dir, map[string]string{"old": "before"})
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("it fails") }

// What is mounted in a directory is written where it is.
func TestMountedFile(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can mount")
	}
	dir, other := t.TempDir(), t.TempDir()
	makeTree(t, dir, map[string]string{"hosts": ""})
	makeTree(t, other, map[string]string{"hosts": "long old contents"})
	if err := unix.Mount(other+"/hosts", dir+"/hosts", "", unix.MS_BIND, ""); err != nil {
		t.Skip(err)
	}
	defer func() { _ = unix.Unmount(dir+"/hosts", 0) }()
	if err := openRoot(t, OpenDir, dir).Unpack(".", bytes.NewReader(archive(t, tar.Header{Name: "hosts"})), own); err != nil {
		t.Fatal(err)
	}
	wantTree(t, other, map[string]string{"hosts": "hosts"})
}

func TestPackRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mknod(dir+"/s", unix.S_IFSOCK|0o600, 0); err != nil {
		t.Fatal(err)
	}
	f, err := OpenPath(dir+"/s", false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Pack(io.Discard, f, "s", IDs{}); !errors.Is(err, executor.Invalid) {
		t.Errorf("a socket: got %v", err)
	}
	makeTree(t, dir, map[string]string{"file": strings.Repeat("x", 1<<20)})
	g, err := OpenPath(dir+"/file", false)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	shrink := writerFunc(func(p []byte) (int, error) { return len(p), os.Truncate(dir+"/file", 10) })
	if err := Pack(shrink, g, "file", IDs{}); err == nil || !strings.Contains(err.Error(), "shrank") {
		t.Errorf("a file that shrinks: got %v", err)
	}
	full := writerFunc(func([]byte) (int, error) { return 0, syscall.ENOSPC })
	if err := Pack(full, g, "file", IDs{}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a reader that fails: got %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// FuzzUnpack unpacks anything. Nothing outside the directory changes.
func FuzzUnpack(f *testing.F) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: ".."})
	_ = w.WriteHeader(&tar.Header{Name: "l/x", Size: 1, Mode: 0o644})
	_, _ = w.Write([]byte("x"))
	_ = w.Close()
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		outer := t.TempDir()
		makeTree(t, outer, map[string]string{"in/": "", "secret": "s"})
		_ = openRoot(t, OpenRoot, outer+"/in").Unpack("/", bytes.NewReader(raw), own)
		got := seen(t, outer)
		for name := range got {
			if !strings.HasPrefix(name, "in/") && name != "secret" {
				t.Errorf("%s was made outside", name)
			}
		}
		if got["secret"] != "s" {
			t.Errorf("what is outside has changed: %v", got)
		}
	})
}
