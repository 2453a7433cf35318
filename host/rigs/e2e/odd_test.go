package e2e

import (
	"archive/tar"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/realtest"
	"golang.org/x/sys/unix"
)

// An oddImage has layers as no builder writes them, and what others make of them.
type oddImage struct {
	name   string
	layers [][]tarFile
	// others says which files others have otherwise than davit, or that they refuse the
	// image; why says why davit does as it does. Docker and containerd mostly agree.
	others map[string]string
	why    string
}

func odd(kind byte, name string, mode int64) tarFile {
	return tarFile{Header: tar.Header{Typeflag: kind, Name: name, Mode: mode, ModTime: time.Unix(1_000_000_000, 0)}}
}

func oddFile(name, content string) tarFile {
	f := odd(tar.TypeReg, name, 0o644)
	f.content = []byte(content)
	return f
}

func oddLink(kind byte, name, to string) tarFile {
	f := odd(kind, name, 0o777)
	f.Linkname = to
	return f
}

// with returns a file with something else changed.
func with(f tarFile, change func(h *tar.Header)) tarFile {
	change(&f.Header)
	return f
}

func owned(f tarFile, uid, gid int) tarFile {
	return with(f, func(h *tar.Header) { h.Uid, h.Gid = uid, gid })
}

// Others, and what they do.
const (
	ctr16, ctr24, docker = "ctr " + realtest.V16, "ctr " + realtest.V24, "docker"

	refuses  = "refuses it"
	linkMode = "/a is 100777 0:0 2d711642 of 1000000000 and not 100644 0:0 2d711642 of 1000000000, /b is 100777 0:0 2d711642 of 1000000000 and not 100644 0:0 2d711642 of 1000000000"
)

var oddImages = []oddImage{
	{name: "whiteouts", layers: [][]tarFile{
		{odd(tar.TypeDir, "d/", 0o755), oddFile("d/a", "x"), oddFile("d/b", "y"), odd(tar.TypeDir, "e/", 0o700), oddFile("e/a", "x"), oddFile("f", "z")},
		{oddFile("d/.wh.a", ""), odd(tar.TypeDir, "e/", 0o711), oddFile("e/.wh..wh..opq", ""), oddFile("e/new", "n"), oddFile(".wh.f", ""), oddFile(".wh.nothing", "")},
	}},
	{name: "opaque after its entries", layers: [][]tarFile{
		{odd(tar.TypeDir, "d/", 0o755), oddFile("d/a", "x")},
		{odd(tar.TypeDir, "d/", 0o755), oddFile("d/b", "y"), oddFile("d/.wh..wh..opq", "")},
	}},
	{name: "other kinds in a place", layers: [][]tarFile{
		{odd(tar.TypeDir, "dir/", 0o755), oddFile("dir/a", "x"), oddFile("file", "y"), oddLink(tar.TypeSymlink, "link", "dir")},
		{oddFile("dir", "now a file"), odd(tar.TypeDir, "file/", 0o750), oddFile("file/a", "z"), odd(tar.TypeDir, "link/", 0o755), oddFile("link/a", "own")},
	}},
	{name: "hard links", layers: [][]tarFile{
		{oddFile("a", "x"), with(oddLink(tar.TypeLink, "b", "a"), func(h *tar.Header) { h.Mode = 0o644 }), oddLink(tar.TypeSymlink, "l", "/etc/passwd"), oddLink(tar.TypeLink, "m", "l")},
	}},
	{
		name: "a hard link into a layer below", layers: [][]tarFile{{oddFile("a", "x")}, {oddLink(tar.TypeLink, "b", "a")}},
		others: map[string]string{ctr16: refuses, ctr24: refuses, docker: refuses}, why: "a builder of images may see the layers as one file system",
	},
	{
		name: "a hard link with another mode", layers: [][]tarFile{{oddFile("a", "x"), oddLink(tar.TypeLink, "b", "a")}},
		others: map[string]string{ctr16: linkMode, ctr24: linkMode, docker: linkMode}, why: "tar does so, whose format it is: a link is another name, and has no mode",
	},
	{
		name: "parents without entries", layers: [][]tarFile{
			{owned(odd(tar.TypeDir, "private/", 0o700), 1234, 1234), oddFile("private/a", "x"), oddFile("made/a", "y")},
			{oddFile("private/b", "z")},
		},
		others: map[string]string{docker: "/private is 40755 0:0 and not 40700 1234:1234"}, why: "what is private stays so",
	},
	{name: "names", layers: [][]tarFile{
		{oddFile("/absolute", "x"), oddFile("./dot", "x"), oddFile("with space and\nline", "x"), oddFile("not-utf8-\xff\xfe", "x"), oddFile(strings.Repeat("n", 255), "x"), oddFile(strings.Repeat("deep/", 100)+"a", "x")},
	}},
	{name: "names that lead out", layers: [][]tarFile{{oddFile("../../up", "x"), oddFile("a", "y")}}},
	{name: "through links", layers: [][]tarFile{{odd(tar.TypeDir, "var/run/", 0o755), oddLink(tar.TypeSymlink, "run", "/var/run"), oddFile("run/a", "x")}}},
	{name: "modes and owners", layers: [][]tarFile{
		{odd(tar.TypeDir, "./", 0o700), odd(tar.TypeReg, "setuid", 0o4755), odd(tar.TypeReg, "setgid", 0o2755), odd(tar.TypeDir, "sticky/", 0o1777), odd(tar.TypeReg, "nothing", 0), owned(oddFile("nobody", "x"), 65534, 65534), owned(oddFile("large", "x"), 1<<31, 1<<31)},
	}},
	{name: "devices", layers: [][]tarFile{
		{with(odd(tar.TypeChar, "null", 0o666), func(h *tar.Header) { h.Devmajor, h.Devminor = 1, 3 }), with(odd(tar.TypeBlock, "loop", 0o660), func(h *tar.Header) { h.Devmajor, h.Devminor = 7, 200 }), odd(tar.TypeFifo, "fifo", 0o600)},
	}},
	{name: "attributes", layers: [][]tarFile{
		{with(oddFile("a", "x"), func(h *tar.Header) {
			h.PAXRecords = map[string]string{"SCHILY.xattr.user.note": "a\x00b", "SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"}
		})},
		{oddFile("b", "y")},
	}},
	{
		name: "twice in a layer", layers: [][]tarFile{{oddFile("a", "first"), odd(tar.TypeDir, "d/", 0o700), oddFile("d/x", "x"), oddFile("a", "second"), odd(tar.TypeDir, "d/", 0o755)}},
		others: map[string]string{docker: refuses}, why: "tar writes such archives when it appends, and the last entry counts",
	},
	{name: "an empty layer, and the same one again", layers: [][]tarFile{{oddFile("a", "x")}, {}, {oddFile(".wh.a", "")}, {oddFile("a", "x")}}},
	{name: "zeros", layers: [][]tarFile{{oddFile("zeros", strings.Repeat("\x00", 1<<20)), oddFile("tail", "x"+strings.Repeat("\x00", 600_000))}}},
	{name: "opaque at the root", layers: [][]tarFile{{oddFile("a", "x")}, {oddFile("b", "y"), oddFile(".wh..wh..opq", "")}}},
	{name: "many layers", layers: slices.Collect(func(yield func([]tarFile) bool) {
		for i := range 100 {
			if !yield([]tarFile{oddFile(fmt.Sprintf("d/%d", i), "x")}) {
				return
			}
		}
	})},
}

// TestOddImages pulls odd images with davit, ctr on two containerds, and docker, and compares
// what a container would see. All that differs is in the table.
func TestOddImages(t *testing.T) {
	if !realtest.Matrix() {
		t.Skip("set DAVIT_MATRIX=1: it starts two containerds, and docker")
	}
	need(t, debian, newest)
	shelf := newShelf(t, t.TempDir())
	s := newSite(t, "backend \"shim\" {\n  executor = \"shim\"\n}\n")
	viewers := []viewer{ctrViewer(t, realtest.V16), ctrViewer(t, realtest.V24)}
	if d, why := newDockerd(t); d != nil {
		viewers = append(viewers, dockerViewer(d))
	} else {
		t.Logf("without docker: %s", why)
	}
	for i, image := range oddImages {
		t.Run(image.name, func(t *testing.T) {
			var layers []blobOf
			for _, files := range image.layers {
				layers = append(layers, shelf.addArchive(t, tarball(t, files...)))
			}
			name := shelf.put(t, fmt.Sprintf("odd/%d", i), layers, map[string]any{"Cmd": []string{"/none"}})
			s := *s
			s.t = t
			s.must("pull", "-q", name)
			id := s.must("create", "--name", "odd", name)
			own := treeOf(t, filepath.Join(s.dir, "state/roots", id, "fs"))
			s.must("rm", "odd")
			s.must("rmi", name)
			for _, v := range viewers {
				got := refuses
				if err := v.view(t, name, func(dir string) { got = difference(own, treeOf(t, dir)) }); err != nil {
					t.Logf("%s: %v", v.name, err)
				}
				if want := image.others[v.name]; got != want {
					t.Errorf("%s: %q, want %q", v.name, got, want)
				} else if want != "" {
					t.Logf("%s: %s; davit does not: %s", v.name, want, image.why)
				}
			}
		})
	}
}

// addArchive adds a layer that is an archive.
func (s *shelf) addArchive(t testing.TB, archive []byte) blobOf {
	t.Helper()
	raw := gzipped(t, archive)
	if err := os.WriteFile(s.path(sum(raw)), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return blobOf{sum(raw), sum(archive), int64(len(raw))}
}

// viewer pulls an image and shows its files in a directory.
type viewer struct {
	name string
	view func(t *testing.T, image string, look func(dir string)) error
}

func run(cmd *exec.Cmd) (string, error) {
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%v: %w: %s", cmd.Args, err, out)
	}
	return strings.TrimSpace(string(out)), err
}

func ctrViewer(t *testing.T, version string) viewer {
	d := realtest.Start(t, version)
	ctr := func(args ...string) error {
		_, err := run(exec.Command(filepath.Join(realtest.Bin(t, version), "ctr"), append([]string{"-a", d.Address}, args...)...))
		return err
	}
	return viewer{"ctr " + version, func(t *testing.T, image string, look func(dir string)) error {
		defer ctr("images", "rm", "--sync", image)
		if err := ctr("images", "pull", "--plain-http", image); err != nil {
			return err
		}
		dir := t.TempDir()
		if err := ctr("images", "mount", image, dir); err != nil {
			return err
		}
		look(dir)
		return ctr("images", "unmount", "--rm", dir)
	}}
}

func dockerViewer(d *dockerd) viewer {
	return viewer{docker, func(t *testing.T, image string, look func(dir string)) error {
		defer run(d.command("rmi", "-f", image))
		if _, err := run(d.command("pull", "-q", image)); err != nil {
			return err
		}
		text, err := run(d.command("image", "inspect", "--format", "{{json .GraphDriver.Data}}", image))
		if err != nil {
			return err
		}
		var at struct{ LowerDir, UpperDir string }
		if err := json.Unmarshal([]byte(text), &at); err != nil {
			return err
		}
		if at.LowerDir == "" {
			look(at.UpperDir)
			return nil
		}
		// Its own names for layers are short.
		layers := []string{at.UpperDir}
		layers = append(layers, strings.Split(at.LowerDir, ":")...)
		dir, short := t.TempDir(), t.TempDir()
		for i, l := range layers {
			layers[i] = filepath.Join(short, fmt.Sprint(i))
			if err := os.Symlink(l, layers[i]); err != nil {
				return err
			}
			layers[i] = fmt.Sprint(i)
		}
		mount := exec.Command("mount", "-t", "overlay", "-o", "lowerdir="+strings.Join(layers, ":"), "overlay", dir)
		mount.Dir = short
		if _, err := run(mount); err != nil {
			return err
		}
		look(dir)
		return unix.Unmount(dir, 0)
	}}
}

// treeOf lists a directory: what each file is, to whom it belongs, and what it holds.
func treeOf(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		what := fmt.Sprintf("%o %d:%d", st.Mode, st.Uid, st.Gid)
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			what += fmt.Sprintf(" %.4x of %d", sha256.Sum256(content), st.Mtim.Sec)
		case unix.S_IFLNK:
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			what += " to " + to
		case unix.S_IFCHR, unix.S_IFBLK:
			what += fmt.Sprintf(" device %d", st.Rdev)
		}
		what += xattrsOf(path)
		all[strings.TrimPrefix(path, root)] = what
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// xattrsOf returns the extended attributes of a file but for those of overlay itself.
func xattrsOf(path string) (text string) {
	list := make([]byte, 4096)
	n, _ := unix.Llistxattr(path, list)
	for _, name := range slices.Sorted(strings.SplitSeq(string(list[:max(n, 0)]), "\x00")) {
		if name == "" || strings.HasPrefix(name, "trusted.overlay.") {
			continue
		}
		value := make([]byte, 4096)
		n, _ := unix.Lgetxattr(path, name, value)
		text += fmt.Sprintf(" %s=%x", name, value[:max(n, 0)])
	}
	return text
}

// difference says in which files a tree differs from davit's.
func difference(own, other map[string]string) string {
	names := maps.Clone(own)
	maps.Copy(names, other)
	var list []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if own[name] == other[name] {
			continue
		}
		list = append(list, fmt.Sprintf("%s is %s and not %s", name, cmp.Or(other[name], "missing"), cmp.Or(own[name], "missing")))
	}
	return strings.Join(list, ", ")
}
