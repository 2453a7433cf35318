package main

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
)

var updateScaffold = flag.Bool("update", false, "tidy the templates' go.mod and go.sum, and write examples/executor-hello anew")

const exampleDir = "../../../examples/executor-hello"

// hello is the scaffold that the example is made of.
func hello() scaffold {
	return scaffold{Name: "hello", Module: "example.com/davit-executor-hello", Version: "v0.0.0", Replace: "../.."}
}

// TestScaffoldIsTheExample shows that the example is what is generated, and that
// go.mod and go.sum are tidy.
func TestScaffoldIsTheExample(t *testing.T) {
	if *updateScaffold {
		updateTemplates(t)
	}
	s := hello()
	files, err := s.render()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(exampleDir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != "davit-executor-hello" { // somebody has built it
			names = append(names, e.Name())
		}
	}
	if want := slices.Sorted(maps.Keys(files)); !slices.Equal(names, want) {
		t.Errorf("the example has the files %q, want %q", names, want)
	}
	for name, want := range files {
		if got, err := os.ReadFile(filepath.Join(exampleDir, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs from what is generated (%v): run go test ./host/cmd/davit-host -run TestScaffoldIsTheExample -update", name, err)
		}
	}
	if out, err := command(exampleDir, "go", "mod", "tidy", "-diff"); err != nil {
		t.Errorf("the generated go.mod is not tidy: run the test with -update\n%s", out)
	}
	// What an author's module costs: go-plugin and hclog alone are 54 lines.
	if lines := bytes.Count(files["go.sum"], []byte("\n")); lines > 80 {
		t.Errorf("go.sum has %d lines, at most 80 are wanted", lines)
	} else {
		t.Logf("go.sum has %d lines", lines)
	}
}

// updateTemplates tidies the example's module, and makes templates of the result.
func updateTemplates(t *testing.T) {
	t.Helper()
	write := func() {
		s := hello()
		files, err := s.render()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(exampleDir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(exampleDir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(exampleDir, name), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	write()
	if out, err := command(exampleDir, "go", "mod", "tidy"); err != nil {
		t.Fatalf("go mod tidy: %v\n%s", err, out)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(exampleDir, name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "go.mod" {
			before, _, _ := strings.Cut(string(text), "\n// The module of davit")
			template := strings.NewReplacer("example.com/davit-executor-hello", "{{.Module}}", "v0.0.0\n", "{{.Version}}\n").Replace(strings.TrimSuffix(before, "\n"))
			old, err := os.ReadFile("scaffold/go.mod.tmpl")
			if err != nil {
				t.Fatal(err)
			}
			_, after, _ := strings.Cut(string(old), "{{- if .Replace}}")
			text = []byte(template + "\n{{- if .Replace}}" + after)
		}
		if err := os.WriteFile(filepath.Join("scaffold", name+".tmpl"), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Skip("the templates are written; run the test again without -update")
}

// TestNewExecutor follows the steps that the command prints.
func TestNewExecutor(t *testing.T) {
	if !realtest.Matrix() {
		t.Skip("builds and tests a module of its own, which is as the example: make matrix")
	}
	s := newSite(t)
	dir := filepath.Join(s.dir, "mine")
	r := s.run("new", "executor", "mine", "--dir", dir, "--module", "example.org/x/mine")
	if r.code != 0 || !strings.Contains(r.stdout, "monitor.go") || !strings.Contains(r.stdout, "go test ./...") {
		t.Fatalf("new executor: %+v", r)
	}
	s.want(1, "", "davit: "+dir+" is not empty; nothing was written\n", "new", "executor", "mine", "--dir", dir)
	for _, args := range [][]string{{"go", "mod", "tidy", "-diff"}, {"go", "vet", "./..."}, {"go", "build", "-o", "davit-executor-mine", "."}, {"gofmt", "-d", "."}, suite()} {
		out, err := command(dir, args[0], args[1:]...)
		if err != nil || args[0] == "gofmt" && out != "" {
			t.Fatalf("%s: %v\n%s", args, err, out)
		}
	}
	s.config = filepath.Join(dir, "davit.hcl")
	s.socket = filepath.Join(dir, "run", "davit.sock")
	if r := s.run("validate", "--config", s.config); r.code != 0 || !strings.Contains(r.stdout, "1 backend") {
		t.Errorf("validate: %+v", r)
	}
	if r := s.run("executors", "describe", "mine", "--config", s.config); r.code != 0 || !strings.Contains(r.stdout, "map(string)") {
		t.Errorf("describe: %+v", r)
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("running a workload in a root directory of its own needs root and busybox")
	}
	if err := os.Symlink("busybox", filepath.Join(s.rootfs, "sh")); err != nil {
		t.Fatal(err)
	}
	if out, err := command(s.rootfs, "cp", busybox, "busybox"); err != nil {
		t.Fatal(out)
	}
	s.serve()
	s.want(3, "hello\n", "", "run", "--rootfs", s.rootfs, "--rm", "/sh", "-c", "echo $GREETING; exit 3")
}

// suite returns the command that tests the new module. All duties take half a
// minute, so only those that rest on the scaffold's own files are proved unless
// everything is.
func suite() []string {
	if os.Getenv("DAVIT_REQUIRE_REAL") == "1" {
		return []string{"go", "test", "./..."}
	}
	return []string{"go", "test", "-run", "TestConformance/binary/(open|create|create-command|newer-ended|restart-ended|restart-same|delete)$", "./..."}
}

func TestNewExecutorRefuses(t *testing.T) {
	s := newSite(t)
	for _, tt := range []struct{ args, want string }{
		{"", "no name is given; usage: davit new executor [flags] NAME"},
		{"a b", "too many arguments (b); usage: davit new executor [flags] NAME"},
		{"My_Executor", `"My_Executor" cannot be the name of an executor; use up to 32 lower-case letters, digits and single inner dashes, such as my-backend`},
		{"../x", `"../x" cannot be the name of an executor; use up to 32 lower-case letters, digits and single inner dashes, such as my-backend`},
		{"x --module a//b", `"a//b" cannot be the path of a module; use one such as example.org/x`},
		{"x --replace /tmp", `--replace "/tmp": this is not a directory with the source of github.com/davit-run/davit`},
	} {
		t.Run(tt.args, func(t *testing.T) {
			r := s.run(append([]string{"new", "executor"}, strings.Fields(tt.args)...)...)
			if r.code != 1 || r.stderr != "davit: "+tt.want+"\n" {
				t.Errorf("got %+v, want %s", r, tt.want)
			}
		})
	}
	s.want(1, "", "davit: unknown command \"exectuor\"; did you mean executor?\n", "new", "exectuor")
}

// A released davit makes executors that require its own version.
func TestScaffoldOfARelease(t *testing.T) {
	for version, want := range map[string]scaffold{
		"v1.2.3":              {Version: "v1.2.3"},
		"v1.2.3-4-gabc-dirty": {Version: "v0.0.0", Replace: checkout(mustGetwd(t))},
		"devel":               {Version: "v0.0.0", Replace: checkout(mustGetwd(t))},
	} {
		s := scaffold{Name: "x", Module: "example.org/x"}
		if err := s.complete("dir", version); err != nil || s.Version != want.Version || s.Replace != want.Replace {
			t.Errorf("%s: got %+v, %v; want version %s and replacement %q", version, s, err, want.Version, want.Replace)
		}
		files, err := s.render()
		if err != nil || bytes.Contains(files["go.mod"], []byte("replace")) != (s.Replace != "") {
			t.Errorf("%s: go.mod is %s, %v", version, files["go.mod"], err)
		}
	}
}

func mustGetwd(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func command(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}
