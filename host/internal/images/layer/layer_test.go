package layer

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// entries make an archive.
type entries []tar.Header

func dir(name string, mode int64) tar.Header {
	return tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode}
}
func file(name, content string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content)), Uname: content}
}
func symlink(name, to string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to}
}
func hardlink(name, to string) tar.Header {
	return tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: to}
}

// archive returns the archive. The content of a file is in its Uname.
func (e entries) archive(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range e {
		content := h.Uname
		h.Uname = ""
		if h.ModTime.IsZero() {
			h.ModTime = time.Unix(1000, 0)
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func newTestStore(t testing.TB) *Store {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	root := t.TempDir()
	for _, name := range []string{"layers", "tmp"} {
		if err := os.Mkdir(filepath.Join(root, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return NewStore(filepath.Join(root, "layers"), filepath.Join(root, "tmp"), Limits{})
}

// plain returns a layer whose blob is the archive itself.
func plain(archive []byte) Layer { return packed(archive, archive) }

func packed(blob, archive []byte) Layer {
	return Layer{
		Digest: digest.FromBytes(blob), DiffID: digest.FromBytes(archive),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(blob)), nil },
	}
}

// tree returns what is in the directory of the highest layer, a line for each.
func (s *Store) tree(t testing.TB, layers []Layer) map[string]string {
	t.Helper()
	diffIDs := make([]digest.Digest, len(layers))
	for i, l := range layers {
		diffIDs[i] = l.DiffID
	}
	names := Names(diffIDs)
	return tree(t, filepath.Join(s.dir, Path(names[len(names)-1])))
}

func tree(t testing.TB, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		var what string
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFDIR:
			what = fmt.Sprintf("dir %o %d:%d", st.Mode&0o7777, st.Uid, st.Gid)
			var value [8]byte
			if n, err := unix.Lgetxattr(path, opaqueXattr, value[:]); err == nil {
				what += " opaque=" + string(value[:n])
			}
		case unix.S_IFREG:
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if len(content) > 40 {
				content = fmt.Appendf(nil, "%d bytes", len(content))
			}
			what = fmt.Sprintf("file %o %s", st.Mode&0o7777, content)
		case unix.S_IFLNK:
			to, _ := os.Readlink(path)
			what = "link " + to
		case unix.S_IFCHR:
			what = fmt.Sprintf("char %d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
		default:
			what = fmt.Sprintf("mode %o", st.Mode)
		}
		all[strings.TrimPrefix(path, root+"/")] = what
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// empty checks that nothing was left behind.
func (s *Store) empty(t testing.TB, dir string) {
	t.Helper()
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left in %s: %v", filepath.Base(dir), left)
	}
}

// TestTree unpacks archives and looks at the directory of the highest layer.
func TestTree(t *testing.T) {
	private := dir("d", 0o700)
	private.Uid, private.Gid = 1234, 4321
	tests := []struct {
		name   string
		layers []entries
		want   map[string]string
	}{
		{"parents without entries", []entries{{file("a/b/c", "x")}}, map[string]string{"a": "dir 755 0:0", "a/b": "dir 755 0:0", "a/b/c": "file 644 x"}},
		{"parents have the attributes of the layer below", []entries{{private, file("d/a", "x")}, {file("d/b", "y")}}, map[string]string{"d": "dir 700 1234:4321", "d/b": "file 644 y"}},
		{"an entry that comes later counts", []entries{{private}, {file("d/b", "y"), dir("d", 0o711)}}, map[string]string{"d": "dir 711 0:0", "d/b": "file 644 y"}},
		{"names stay inside", []entries{{file("../../a", "x"), file("/b", "y"), file("c/../../../d", "z")}}, map[string]string{"a": "file 644 x", "b": "file 644 y", "d": "file 644 z"}},
		{"links out of the root", []entries{{symlink("l", "/"), symlink("m", "../../../.."), file("l/a", "x"), file("m/b", "y")}}, map[string]string{"l": "link /", "m": "link ../../../..", "a": "file 644 x", "b": "file 644 y"}},
		{"a link to a directory that is not there yet", []entries{{symlink("run", "/var/run"), file("run/a", "x")}}, map[string]string{"run": "link /var/run", "var": "dir 755 0:0", "var/run": "dir 755 0:0", "var/run/a": "file 644 x"}},
		{"a file takes the place of a link", []entries{{symlink("l", "/etc/passwd"), file("l", "x")}}, map[string]string{"l": "file 644 x"}},
		{"a file takes the place of a directory", []entries{{dir("d", 0o755), file("d/a", "x"), file("d", "y")}}, map[string]string{"d": "file 644 y"}},
		{"a whiteout", []entries{{file("a", "x"), file("b", "y")}, {file(".wh.a", "")}}, map[string]string{"a": "char 0:0"}},
		{"a whiteout of nothing", []entries{{file("a", "x")}, {file("d/.wh.b", "")}}, map[string]string{"d": "dir 755 0:0"}},
		{"a whiteout of what was hidden already", []entries{{file("a", "x")}, {file(".wh.a", "")}, {file(".wh.a", ""), file("b", "")}}, map[string]string{"b": "file 644 "}},
		{"a whiteout of what the same layer has", []entries{{file("a", "x")}, {file("a", "y"), file(".wh.a", "")}}, map[string]string{"a": "file 644 y"}},
		{"a whiteout before what takes its place", []entries{{dir("a", 0o700), file("a/b", "x")}, {file(".wh.a", ""), file("a/c", "y")}}, map[string]string{"a": "dir 700 0:0 opaque=y", "a/c": "file 644 y"}},
		{"a whiteout after what takes its place", []entries{{file("a/b", "x")}, {dir("a", 0o711), file(".wh.a", "")}}, map[string]string{"a": "dir 711 0:0 opaque=y"}},
		{"a device that is a whiteout", []entries{{file("a", "x")}, {tar.Header{Typeflag: tar.TypeChar, Name: "a"}}}, map[string]string{"a": "char 0:0"}},
		{"opaque", []entries{{file("d/a", "x")}, {file("d/b", "y"), file("d/.wh..wh..opq", "")}}, map[string]string{"d": "dir 755 0:0 opaque=y", "d/b": "file 644 y"}},
		{"opaque in the lowest layer", []entries{{file("d/.wh..wh..opq", "")}}, map[string]string{"d": "dir 755 0:0"}},
		{"notes of aufs", []entries{{file(".wh..wh.plnk/x", ""), dir(".wh..wh.orph", 0o700)}}, map[string]string{}},
		{"hard link", []entries{{file("a", "x"), hardlink("d/b", "/a")}}, map[string]string{"a": "file 644 x", "d": "dir 755 0:0", "d/b": "file 644 x"}},
		{"hard link into a layer below", []entries{{private, file("d/a", "x")}, {hardlink("b", "d/a")}}, map[string]string{"d": "dir 700 1234:4321", "d/a": "file 644 x", "b": "file 644 x"}},
		{"hard link to a link", []entries{{symlink("l", "/etc/passwd"), hardlink("b", "l")}}, map[string]string{"l": "link /etc/passwd", "b": "link /etc/passwd"}},
		{"hard link out of the root", []entries{{file("a", "x"), hardlink("b", "../../a")}}, map[string]string{"a": "file 644 x", "b": "file 644 x"}},
		{"devices and pipes", []entries{{tar.Header{Typeflag: tar.TypeChar, Name: "null", Devmajor: 1, Devminor: 3}, tar.Header{Typeflag: tar.TypeFifo, Name: "p", Mode: 0o600}}}, map[string]string{"null": "char 1:3", "p": fmt.Sprintf("mode %o", unix.S_IFIFO|0o600)}},
		{"bits of the mode", []entries{{tar.Header{Typeflag: tar.TypeReg, Name: "s", Mode: 0o4755, Uid: 7}, dir("t", 0o1777)}}, map[string]string{"s": "file 4755 ", "t": "dir 1777 0:0"}},
		{"names that are not UTF-8", []entries{{file("a\xff", "x")}}, map[string]string{"a\xff": "file 644 x"}},
		{"the root's own entry", []entries{{dir("./", 0o700), file("./a", "x")}}, map[string]string{"a": "file 644 x"}},
		{"zeros", []entries{{file("z", strings.Repeat("\x00", 1<<20)), file("y", strings.Repeat("\x00", 1<<20)+"end")}}, map[string]string{"z": "file 644 1048576 bytes", "y": "file 644 1048579 bytes"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newTestStore(t)
			var layers []Layer
			for _, e := range tt.layers {
				layers = append(layers, plain(e.archive(t)))
			}
			if err := s.Make(t.Context(), layers, nil); err != nil {
				t.Fatal(err)
			}
			if got := s.tree(t, layers); !maps.Equal(got, tt.want) {
				t.Errorf("got  %v\nwant %v", got, tt.want)
			}
			s.empty(t, s.tmp)
		})
	}
}

// TestRefused unpacks what cannot be right. Nothing of it may be left, and the same layers
// without the fault unpack afterwards.
func TestRefused(t *testing.T) {
	good := entries{file("a", "x")}.archive(t)
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(good)
	w.Close()
	flipped := bytes.Clone(z.Bytes())
	flipped[len(flipped)/2] ^= 1
	of := func(e ...tar.Header) Layer { return plain(entries(e).archive(t)) }
	tests := []struct {
		name  string
		layer Layer
		code  executor.Code
		want  string
	}{
		{"another blob", Layer{digest.FromString("x"), digest.FromBytes(good), plain(good).Open}, executor.Invalid, "damaged"},
		{"another diff id", Layer{digest.FromBytes(good), digest.FromString("x"), plain(good).Open}, executor.Invalid, "config says"},
		{"a flipped bit", packed(flipped, good), executor.Invalid, ""},
		{"cut off", packed(z.Bytes()[:z.Len()/2], good), executor.Invalid, ""},
		{"cut off in a file", plain(good[:512]), executor.Invalid, "cannot be read"},
		{"no archive", plain([]byte(strings.Repeat("no archive ", 100))), executor.Invalid, "cannot be read"},
		{"link to nowhere", of(hardlink("a", "b")), executor.Invalid, "does not exist"},
		{"link to itself", of(hardlink("a", "a")), executor.Invalid, "does not exist"},
		{"link to a file of this machine", of(hardlink("a", "../../../../../../etc/passwd")), executor.Invalid, "does not exist"},
		{"link to a file of this machine through a link", of(symlink("l", "../../../../../../../etc"), hardlink("a", "l/passwd")), executor.Invalid, "does not exist"},
		{"link to what is hidden", of(file(".wh.base", ""), hardlink("a", "base")), executor.Invalid, "does not exist"},
		{"link to the root", of(hardlink("a", "/")), executor.Invalid, ""},
		{"link to a directory", of(dir("d", 0o755), hardlink("a", "d")), executor.Invalid, "directory"},
		{"below a file", of(file("a", ""), file("a/b", "")), executor.Invalid, "not a directory"},
		{"below a circle of links", of(symlink("a", "b"), symlink("b", "a"), file("a/c", "")), executor.Invalid, ""},
		{"below a pipe", of(tar.Header{Typeflag: tar.TypeFifo, Name: "p"}, file("p/a", "")), executor.Invalid, "not a directory"},
		{"a path too deep", of(file(strings.Repeat("d/", 3000)+"a", "")), executor.Invalid, "too long"},
		{"an entry of no type", of(tar.Header{Typeflag: 'Z', Name: "a"}), executor.Invalid, "not known"},
		{"device of no number", of(tar.Header{Typeflag: tar.TypeChar, Name: "a", Devmajor: 1 << 12}), executor.Invalid, "no device"},
		{"attribute too large", of(tar.Header{Typeflag: tar.TypeReg, Name: "a", PAXRecords: map[string]string{paxXattr + "user.a": strings.Repeat("x", 70<<10)}}), executor.Invalid, "too long"},
		{"attribute of too long a name", of(tar.Header{Typeflag: tar.TypeReg, Name: "a", PAXRecords: map[string]string{paxXattr + "user." + strings.Repeat("n", 300): "x"}}), executor.Invalid, ""},
		{"sparse, larger than any layer", plain(sparse(300 << 30)), executor.Invalid, "larger than is allowed"},
		{"owner nobody can be", of(tar.Header{Typeflag: tar.TypeReg, Name: "a", Uid: 1<<32 - 1}), executor.Invalid, "owner"},
		{"whiteout of no name", of(file(".wh.", "")), executor.Invalid, "hides no name"},
		{"whiteout of the parent", of(file("d/.wh...", "")), executor.Invalid, "hides no name"},
		{"too long a name", of(file(strings.Repeat("n", 300), "")), executor.Invalid, "too long"},
		{"much after the end", plain(append(bytes.Clone(good), make([]byte, maxTrailer+1)...)), executor.Invalid, "follow the end"},
		{"xz", packed([]byte("\xfd7zXZ\x00aaaaaaaaaaaaa"), good), executor.Unsupported, "xz"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newTestStore(t)
			base := plain(entries{file("base", "x")}.archive(t))
			err := s.Make(t.Context(), []Layer{base, tt.layer}, nil)
			if executor.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s and %q", err, tt.code, tt.want)
			}
			s.empty(t, s.tmp)
			s.empty(t, s.dir)
			if err := s.Make(t.Context(), []Layer{base, packed(z.Bytes(), good)}, nil); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// TestBombs unpacks what is small and stands for much.
func TestBombs(t *testing.T) {
	s := newTestStore(t)
	s.limits = Limits{Bytes: 1 << 20, Entries: 10, Paths: 1000}
	var many, paths entries
	for i := range 9 {
		paths = append(paths, dir(fmt.Sprint(i, strings.Repeat("n", 200)), 0o755))
	}
	for i := range 11 {
		many = append(many, file(fmt.Sprint(i), ""))
	}
	large := entries{file("a", strings.Repeat("\x00", 2<<20))}.archive(t)
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(large)
	w.Close()
	window, err := zstd.NewWriter(nil, zstd.WithWindowSize(256<<20), zstd.WithSingleSegment(false))
	if err != nil {
		t.Fatal(err)
	}
	var wide bytes.Buffer
	window.Reset(&wide)
	window.Write(large)
	window.Close()
	for name, l := range map[string]Layer{
		"large": packed(z.Bytes(), large), "many": plain(many.archive(t)), "a large window": packed(wide.Bytes(), large),
		"holes": plain(sparse(1<<20 + 1)), "files with holes": plain(slices.Concat(sparse(1 << 19)[:512], sparse(1 << 19)[:512], sparse(1<<19))), "paths": plain(paths.archive(t)),
	} {
		if err := s.Make(t.Context(), []Layer{l}, nil); executor.CodeOf(err) != executor.Invalid {
			t.Errorf("%s: got %v, want invalid", name, err)
		}
		s.empty(t, s.tmp)
		s.empty(t, s.dir)
	}
}

// TestCompressed unpacks the same layer in each compression.
func TestCompressed(t *testing.T) {
	archive := entries{file("a", "x")}.archive(t)
	var gz, zst bytes.Buffer
	g := gzip.NewWriter(&gz)
	g.Write(archive)
	g.Close()
	z, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	z.Write(archive)
	z.Close()
	for name, blob := range map[string][]byte{"none": archive, "gzip": gz.Bytes(), "zstd": zst.Bytes()} {
		s := newTestStore(t)
		l := packed(blob, archive)
		if err := s.Make(t.Context(), []Layer{l}, nil); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, want := s.tree(t, []Layer{l}), map[string]string{"a": "file 644 x"}; !maps.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// TestXattrs keeps attributes of files but for those that overlay would believe.
func TestXattrs(t *testing.T) {
	s := newTestStore(t)
	h := file("a", "x")
	h.PAXRecords = map[string]string{"SCHILY.xattr.user.a": "b\x00c", "SCHILY.xattr.trusted.overlay.redirect": "/etc", "SCHILY.xattr.trusted.b": "c"}
	l := plain(entries{h}.archive(t))
	up := plain(entries{hardlink("b", "a")}.archive(t))
	if err := s.Make(t.Context(), []Layer{l, up}, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range Names([]digest.Digest{l.DiffID, up.DiffID}) {
		path := filepath.Join(s.dir, Path(name), "a")
		for attr, want := range map[string]string{"user.a": "b\x00c", "trusted.b": "c", "trusted.overlay.redirect": ""} {
			value := make([]byte, 10)
			n, err := unix.Lgetxattr(path, attr, value)
			if errors.Is(err, unix.ENODATA) {
				n = 0
			} else if err != nil {
				t.Fatal(err)
			}
			if got := string(value[:n]); got != want {
				t.Errorf("%s: got %q, want %q", attr, got, want)
			}
		}
	}
}

// TestTimes checks that times are those of the entries, also of directories in which
// something was made afterwards.
func TestTimes(t *testing.T) {
	s := newTestStore(t)
	l := plain(entries{dir("d", 0o755), file("d/a", "x"), symlink("d/l", "a")}.archive(t))
	up := plain(entries{file("d/b", "x")}.archive(t))
	if err := s.Make(t.Context(), []Layer{l, up}, nil); err != nil {
		t.Fatal(err)
	}
	for i, names := range [][]string{{"d", "d/a", "d/l"}, {"d", "d/b"}} {
		for _, name := range names {
			st, err := os.Lstat(filepath.Join(s.dir, Path(Names([]digest.Digest{l.DiffID, up.DiffID})[i]), name))
			if err != nil {
				t.Fatal(err)
			}
			if got := st.ModTime().Unix(); got != 1000 {
				t.Errorf("layer %d: %s has time %d, want 1000", i, name, got)
			}
		}
	}
}

// TestMakeOnce unpacks layers together and again, and only what is missing.
func TestMakeOnce(t *testing.T) {
	s := newTestStore(t)
	a, b := plain(entries{file("a", "x")}.archive(t)), plain(entries{file("b", "y")}.archive(t))
	count := func(n *int) func(int) { return func(int) { *n++ } }
	var first, again, more int
	if err := s.Make(t.Context(), []Layer{a}, count(&first)); err != nil {
		t.Fatal(err)
	}
	if err := s.Make(t.Context(), []Layer{a}, count(&again)); err != nil {
		t.Fatal(err)
	}
	if err := s.Make(t.Context(), []Layer{a, b, a}, count(&more)); err != nil {
		t.Fatal(err)
	}
	if first != 1 || again != 0 || more != 2 {
		t.Errorf("unpacked %d, %d and %d layers, want 1, 0 and 2", first, again, more)
	}
	names, err := s.List()
	if err != nil || len(names) != 3 {
		t.Errorf("got %v, %v", names, err)
	}
	if ok, err := s.Has([]digest.Digest{a.DiffID, b.DiffID}); !ok || err != nil {
		t.Errorf("has: %v, %v", ok, err)
	}
	if n := s.Size([]digest.Digest{a.DiffID, b.DiffID}); n != 2 {
		t.Errorf("size %d, want 2", n)
	}
	if _, err := s.Remove(names[0]); err != nil {
		t.Error(err)
	}
	if now, _ := s.List(); slices.Contains(now, names[0]) {
		t.Error("it was not removed")
	}
}

// TestCanceled ends an unpack before each layer. Nothing may be left of it.
func TestCanceled(t *testing.T) {
	s := newTestStore(t)
	a, b := plain(entries{file("a", "x")}.archive(t)), plain(entries{file("b", "y")}.archive(t))
	for at := range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		err := s.Make(ctx, []Layer{a, b}, func(i int) {
			if i == at {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		cancel()
		s.empty(t, s.tmp)
		s.empty(t, s.dir)
	}
}

// FuzzUnpack unpacks garbage. It must neither panic nor touch anything outside.
func FuzzUnpack(f *testing.F) {
	f.Add(entries{dir("d", 0o755), file("d/a", "x"), symlink("l", "../.."), hardlink("h", "d/a"), file("l/x", "y")}.archive(f))
	f.Add(entries{file("a", "x"), file(".wh.a", ""), file("a/.wh..wh..opq", "")}.archive(f))
	f.Add(sparse(1 << 40))
	for _, path := range oddArchives(f) {
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, archive []byte) {
		s := newTestStore(t)
		s.limits = Limits{Bytes: 1 << 20, Entries: 100}
		outside := filepath.Dir(s.dir)
		base := plain(entries{dir("d", 0o755), file("d/a", "x")}.archive(t))
		_ = s.Make(t.Context(), []Layer{base, plain(archive)}, nil)
		left, err := os.ReadDir(outside)
		if err != nil || len(left) != 2 {
			t.Errorf("outside: %v, %v", left, err)
		}
		s.empty(t, s.tmp)
	})
}
