package overlay

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const module = "github.com/davit-run/davit"

// tree is the sources of a module, with what was changed.
type tree struct {
	root    string
	changed map[string][]byte // by path inside root
}

// WithSeams writes to dir an overlay of the sources of davit in root, with all seams
// and all bugs that are switched on at run time. It returns what -overlay takes.
func WithSeams(root, dir string) (string, error) {
	t := tree{root: root, changed: map[string][]byte{}}
	for _, name := range patches() {
		if name == Unsynced {
			continue
		}
		if err := t.patch(name); err != nil {
			return "", err
		}
	}
	if err := t.addSeams(); err != nil {
		return "", err
	}
	if err := t.swapAll(); err != nil {
		return "", err
	}
	return t.write(dir)
}

// WithPatch writes to dir an overlay with one patch alone.
func WithPatch(root, dir, name string) (string, error) {
	t := tree{root: root, changed: map[string][]byte{}}
	if err := t.patch(name); err != nil {
		return "", err
	}
	return t.write(dir)
}

// read returns a source as it is now.
func (t *tree) read(path string) ([]byte, error) {
	if text, ok := t.changed[path]; ok {
		return text, nil
	}
	return os.ReadFile(filepath.Join(t.root, path))
}

// sources lists davit's sources under a folder, or in it alone.
func (t *tree) sources(folder string, below bool) (paths []string, err error) {
	err = filepath.WalkDir(filepath.Join(t.root, folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path, _ = filepath.Rel(t.root, path)
		if d.IsDir() {
			if path != folder && !below || slices.Contains([]string{"host/rigs", "shared/conformance"}, path) || d.Name() == "testdata" {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			paths = append(paths, path)
		}
		return nil
	})
	return paths, err
}

// edit is a piece of text that is put in the place of what is between two offsets.
type edit struct {
	from, to int
	text     string
}

// change applies edits to a source, and has it import the packages of rigs that it
// then uses. They have names that no product has.
func (t *tree) change(path string, text []byte, edits []edit) error {
	slices.SortFunc(edits, func(a, b edit) int { return b.from - a.from })
	for _, e := range edits {
		text = slices.Replace(slices.Clone(text), e.from, e.to, []byte(e.text)...)
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, parser.ImportsOnly)
	if err != nil {
		return fmt.Errorf("%s, as changed: %w", path, err)
	}
	var imports []byte
	for name, pkg := range map[string]string{"rig": "failpoint", "rigdaemon": "failpoint/daemon"} {
		has := slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool { return i.Name != nil && i.Name.Name == name })
		if !has && strings.Contains(string(text), name+".") {
			imports = fmt.Appendf(imports, "; import %s %q", name, module+"/host/rigs/"+pkg)
		}
	}
	at := set.Position(file.Name.End()).Offset
	t.changed[path] = slices.Insert(slices.Clone(text), at, imports...)
	return nil
}

// write writes the changed sources, and the list that the go command takes.
func (t *tree) write(dir string) (string, error) {
	root, err := filepath.Abs(t.root)
	if err != nil {
		return "", err
	}
	var list struct{ Replace map[string]string }
	list.Replace = map[string]string{}
	for path, text := range t.changed {
		to := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return "", err
		}
		if err := os.WriteFile(to, text, 0o600); err != nil {
			return "", err
		}
		list.Replace[filepath.Join(root, path)] = to
	}
	text, err := json.Marshal(list)
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, text, 0o600)
}
