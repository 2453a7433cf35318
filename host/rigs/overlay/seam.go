package overlay

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// seam is a function of davit's that the storm strikes before and after.
type seam struct {
	folder, function string
	// outside says that what the function defers first, such as a recover, does not
	// see what happens here.
	outside bool
	// code is put at the beginning of the function.
	code string
}

// seams are what the calls, the commits and the processes of davit pass. A panic
// where a call comes in or goes out ends the process; one about a backend's call is
// the kit's to recover from, inside of what it repeats.
var seams = []seam{
	{"shared/transport", "(*Conn).Call", false, around(`rig.Place("ask", method)`)},
	{"shared/transport", "(*endpoint).run", true, around(`rig.Place("call", req.Method)`) + "defer rig.LeaveBehind(req.Method, req.Body); "},
	{"shared/transport", "(*endpoint).Do", false, "defer func() { resp.Body = rig.Lie(req.Method, resp.Body) }(); "},
	{"shared/plugin", "(*Server).serve", false, around(`rig.Unless(method.Repeat, rig.Place("try", method.Name))`)},
	{"shared/plugin", "(*Server).try", false, around(`rig.Place("try", method.Name)`)},
	{"host/internal/store", "Open", false, around(`rig.Place("store", "open")`)},
	{"host/internal/store", "(*Store).Update", false, passing(`rig.Place("commit", "")`)},
	{"host/internal/store", "(*Store).sync", false, around(`rig.Place("store", "sync")`)},
	{"host/internal/supervisor", "connect", false, around(`rig.Place("executor", "attach")`)},
	{"host/internal/containers", "(*Manager).reconcileMissing", false, around(`rig.Place("reconcile", "missing")`)},
	{"executors/containerd", "(*private).start", false, around(`rig.Place("daemon", "start")`)},
}

// failing stands for the way out of a function with an error.
const failing = "FAIL"

// around is the code for a place on the way in and one on the way out.
func around(place string) string {
	return "riggedPlace := " + place + "; if err := rig.Hit(riggedPlace); err != nil { " + failing + " }; defer rig.Leave(riggedPlace); "
}

// passing is around for what does not fail here. A commit that fails is what the disks
// of package e2e are for, which a host then says so of.
func passing(place string) string {
	return "riggedPlace := " + place + "; _ = rig.Hit(riggedPlace); defer rig.Leave(riggedPlace); "
}

// addSeams opens all seams.
func (t *tree) addSeams() error {
	for _, s := range seams {
		if err := t.addSeam(s); err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) addSeam(s seam) error {
	paths, err := t.sources(s.folder, false)
	if err != nil {
		return err
	}
	found := 0
	for _, path := range paths {
		text, err := t.read(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, 0)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || functionName(fn) != s.function {
				continue
			}
			found++
			at := int(fn.Body.Lbrace)
			for _, statement := range fn.Body.List {
				if _, ok := statement.(*ast.DeferStmt); !ok || s.outside {
					break
				}
				at = int(statement.End()) - 1
			}
			code := strings.ReplaceAll(s.code, failing, fails(fn, text))
			if at > int(fn.Body.Lbrace) {
				code = "; " + strings.TrimSuffix(code, "; ")
			}
			if err := t.change(path, text, []edit{{at, at, code}}); err != nil {
				return err
			}
		}
	}
	if found != 1 {
		return fmt.Errorf("seam %s in %s: it is there %d times", s.function, s.folder, found)
	}
	return nil
}

// functionName names a function as panics do.
func functionName(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	switch r := fn.Recv.List[0].Type.(type) {
	case *ast.StarExpr:
		if name, ok := r.X.(*ast.Ident); ok {
			return "(*" + name.Name + ")." + fn.Name.Name
		}
	case *ast.Ident:
		return r.Name + "." + fn.Name.Name
	}
	return ""
}

// fails is code that returns err from fn with zero values beside it, or goes on if
// fn cannot fail.
func fails(fn *ast.FuncDecl, text []byte) string {
	var values []string
	if fn.Type.Results != nil {
		for _, field := range fn.Type.Results.List {
			for range max(1, len(field.Names)) {
				values = append(values, "*new("+string(text[field.Type.Pos()-1:field.Type.End()-1])+")")
			}
		}
	}
	if len(values) == 0 || values[len(values)-1] != "*new(error)" {
		return "_ = err"
	}
	values[len(values)-1] = "err"
	return "return " + strings.Join(values, ", ")
}
