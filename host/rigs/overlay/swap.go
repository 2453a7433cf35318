package overlay

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"strconv"
)

// swaps are the functions that are replaced, by the path of their package and their
// name.
var swaps = map[string]map[string]string{
	"os":                          {"Rename": "rig.Rename", "Remove": "rig.Remove", "RemoveAll": "rig.RemoveAll"},
	"google.golang.org/grpc":      {"NewClient": "rigdaemon.NewGRPC"},
	"github.com/containerd/ttrpc": {"NewClient": "rigdaemon.NewTTRPC"},
}

// swapAll replaces functions in all sources.
func (t *tree) swapAll() error {
	used := map[string]bool{}
	for _, folder := range []string{"host", "executors", "shared"} {
		paths, err := t.sources(folder, true)
		if err != nil {
			return err
		}
		for _, path := range paths {
			if err := t.swap(path, used); err != nil {
				return err
			}
		}
	}
	for pkg, names := range swaps {
		for name := range names {
			if !used[pkg+"."+name] {
				return fmt.Errorf("swap of %s.%s: no source uses it", pkg, name)
			}
		}
	}
	return nil
}

func (t *tree) swap(source string, used map[string]bool) error {
	text, err := t.read(source)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(token.NewFileSet(), source, text, 0)
	if err != nil {
		return err
	}
	var edits []edit
	var kept []byte // uses of what is imported, of which no other may be left
	for _, spec := range file.Imports {
		pkg, _ := strconv.Unquote(spec.Path.Value)
		local := path.Base(pkg)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		before := len(edits)
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == local && swaps[pkg][s.Sel.Name] != "" {
					used[pkg+"."+s.Sel.Name] = true
					edits = append(edits, edit{int(s.Pos()) - 1, int(s.End()) - 1, swaps[pkg][s.Sel.Name]})
					if len(edits) == before+1 {
						kept = fmt.Appendf(kept, "\nvar _ = %s.%s\n", local, s.Sel.Name)
					}
				}
			}
			return true
		})
	}
	if len(edits) == 0 {
		return nil
	}
	return t.change(source, text, append(edits, edit{len(text), len(text), string(kept)}))
}
