package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/rigs/gobuild"
)

// TestExampleConfigs asks the executors that the example configs name.
func TestExampleConfigs(t *testing.T) {
	files, err := filepath.Glob("../../../examples/config/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %q, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			cfg, diags := config.Load(file)
			cfg.ExecutorDirs = []string{bin}
			if !diags.HasErrors() {
				diags = append(diags, host.Validate(t.Context(), *cfg)...)
			}
			if err := diags.Err(); err != nil {
				t.Error(err)
			}
		})
	}
}

// helloRootfs makes a root file system with the hello example for every backend.
func helloRootfs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(rootfs)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		gobuild.Make(filepath.Join(dir, "bin"), "./examples/hello"),
		gobuild.Wasm(filepath.Join(dir, "bin/hello.wasm"), "./examples/hello"),
	); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestExampleMixed runs one command on every backend of the mixed config, which
// differ on the command line by the word after --backend alone.
func TestExampleMixed(t *testing.T) {
	need(t, debian)
	text, err := os.ReadFile("../../../examples/config/mixed.hcl")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, string(text))
	dir := helloRootfs(t)
	var names []string
	for _, b := range s.backends() {
		names = append(names, b.Name)
	}
	slices.Sort(names)
	if want := []string{"containerd", "loose", "process", "shim", "small", "wasm"}; !slices.Equal(names, want) {
		t.Errorf("the backends are %q, want %q", names, want)
	}
	for _, name := range names {
		r := s.run("run", "--rm", "--backend", name, "--rootfs", dir, "hello", "there")
		if r.code != 0 || r.stdout != "hello, there\n" || r.stderr != "" {
			t.Errorf("backend %s: got %+v", name, r)
		}
	}
	commands, _ := readDocument(t, "README.md")
	n := 0
	for _, c := range commands {
		line, ok := strings.CutPrefix(c.command, "davit run --rm --rootfs R ")
		if !ok {
			continue
		}
		n++
		r := s.run(append([]string{"run", "--rm", "--rootfs", dir}, strings.Fields(line)...)...)
		if r.code != 0 || r.stdout != "hello, world\n" {
			t.Errorf("%s: got %+v", c.command, r)
		}
	}
	if n != 4 {
		t.Errorf("README.md runs hello %d times, want 4", n)
	}
}

func TestExampleCIRunner(t *testing.T) {
	need(t)
	dir := t.TempDir()
	cfg, steps := filepath.Join(dir, "ci.hcl"), filepath.Join(dir, "steps")
	text := fmt.Sprintf("executor_dirs = [%q]\n", bin)
	for _, name := range []string{"shim", "process", "wasm"} {
		text += fmt.Sprintf("backend %q {\n  executor = %q\n}\n", name, name)
	}
	if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	const list = `# NAME BACKEND COMMAND
greet   wasm     hello "you there"
build   process  sh -c "echo compiling; printf done"
verify  shim     sh -c "echo bad >&2; exit 3"
publish shim     echo never
`
	if err := os.WriteFile(steps, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(bin, "ci-runner"), cfg, helloRootfs(t), steps)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "TMPDIR=") }), "TMPDIR="+dir)
	out, err := cmd.CombinedOutput()
	exit, ok := errors.AsType[*exec.ExitError](err)
	const want = `greet: on wasm
greet | hello, you there
build: on process
build | compiling
build | done
verify: on shim
verify ! bad
verify: failed, exit code 3
`
	if !ok || exit.ExitCode() != 3 || string(out) != want {
		t.Errorf("got %v, %q; want code 3, %q", err, out, want)
	}
	if left := leftovers(dir); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if left, _ := filepath.Glob(dir + "/ci[0-9]*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
