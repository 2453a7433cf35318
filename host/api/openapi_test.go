package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

var updateDocs = flag.Bool("update", false, "write openapi_docs.json anew from the comments in the source")

// TestOpenAPI asks a host for the document.
func TestOpenAPI(t *testing.T) {
	c, _ := serveFake(t, &fake{})
	got, err := c.OpenAPI(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Parameters  []struct{ Name, Description string }
			Responses   map[string]any
		}
	}
	if err := json.Unmarshal(got, &document); err != nil {
		t.Fatal(err)
	}
	for _, r := range Routes() {
		op, ok := document.Paths[r.Path][strings.ToLower(r.Method)]
		if !ok || op.OperationID != r.Name || len(op.Responses) < 2 {
			t.Errorf("%s %s is described as %+v", r.Method, r.Path, op)
		}
	}
	if bytes.Contains(got, []byte("[")) && regexp.MustCompile(`\[[A-Z]\w+(\.\w+)?\] `).Match(got) {
		t.Error("a description has the brackets of a Go comment")
	}
}

// TestOpenAPIDocs compares the descriptions with the source.
func TestOpenAPIDocs(t *testing.T) {
	s := newSchemas()
	for _, e := range table {
		e.operation(s)
	}
	want := map[string]string{}
	parsed := map[string][]*ast.File{}
	for name, typ := range s.used {
		dir, ok := strings.CutPrefix(typ.PkgPath(), "github.com/davit-run/davit/")
		if !ok {
			continue
		}
		if parsed[dir] == nil {
			parsed[dir] = parseDir(t, "../../"+dir)
		}
		var values []string
		for _, file := range parsed[dir] {
			maps.Copy(want, commentsOf(file, name, typ.Name()))
			values = append(values, valuesOf(file, typ.Name())...)
		}
		if len(values) > 0 {
			want[name] = strings.TrimSpace(want[name] + " Values: " + strings.Join(values, ", ") + ".")
		}
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "\t")
	if err := enc.Encode(want); err != nil {
		t.Fatal(err)
	}
	const file = "openapi_docs.json"
	if *updateDocs {
		if err := os.WriteFile(file, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, text.Bytes()) {
		t.Errorf("%s differs from the comments in the source (%v): run go test ./host/api -run TestOpenAPIDocs -update", file, err)
	}
}

func parseDir(t *testing.T, dir string) (files []*ast.File) {
	t.Helper()
	names, err := fs.Glob(os.DirFS(dir), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path.Join(dir, name), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// valuesOf returns the constants of a type whose values are strings.
func valuesOf(file *ast.File, name string) (values []string) {
	for _, d := range file.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.CONST {
			continue
		}
		for _, spec := range decl.Specs {
			value := spec.(*ast.ValueSpec)
			if typ, ok := value.Type.(*ast.Ident); !ok || typ.Name != name {
				continue
			}
			for _, v := range value.Values {
				if lit, ok := v.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					values = append(values, strings.Trim(lit.Value, `"`))
				}
			}
		}
	}
	return values
}

// commentsOf returns the comments of a type and its fields. key is the name of the type with
// its package.
func commentsOf(file *ast.File, key, name string) map[string]string {
	all := map[string]string{}
	note := func(key string, text string) {
		if text = asText(text); text != "" {
			all[key] = text
		}
	}
	for _, d := range file.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.TYPE {
			continue
		}
		for _, spec := range decl.Specs {
			typ := spec.(*ast.TypeSpec)
			if typ.Name.Name != name {
				continue
			}
			note(key, decl.Doc.Text()+typ.Doc.Text())
			fields, ok := typ.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, f := range fields.Fields.List {
				for _, n := range f.Names {
					note(key+"."+n.Name, f.Doc.Text()+f.Comment.Text())
				}
			}
		}
	}
	return all
}

// asText returns a comment without its line breaks and links.
func asText(comment string) string {
	text := strings.Join(strings.Fields(comment), " ")
	return regexp.MustCompile(`\[([A-Z]\w*|[a-z]+\.[A-Z]\w*)(\.\w+)?\]`).ReplaceAllStringFunc(text, func(link string) string {
		return strings.Trim(link, "[]")
	})
}

func ExampleOpenAPI() {
	var document struct {
		Paths map[string]map[string]struct{ Summary string }
	}
	if err := json.Unmarshal(OpenAPI(), &document); err != nil {
		fmt.Println(err)
	}
	fmt.Println(document.Paths["/v1/containers/{ref}/pause"]["post"].Summary)
	// Output: stops all processes of a container where they stand
}
