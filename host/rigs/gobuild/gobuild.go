// Package gobuild provides tests with programs of this module, as those are that users
// have: built as `make build` builds them.
//
// All tests build with the same flags, so that the compiler sees each package once, whoever
// needs it, and `make build` before them is not in vain. Where [Env] names a directory with
// programs that are built, they are copied from there.
package gobuild

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/davit-run/davit/shared/linux"
)

// Env is the environment variable with the directory of programs that are built already
// from these sources. `make test` sets it.
const Env = "DAVIT_BIN"

// Make makes programs in a directory, under the last elements of the paths of their
// packages. A package is named as from the module's root: "./host/cmd/davit". The programs
// belong to the directory alone: nobody else runs them, and they may be changed.
func Make(dir string, packages ...string) error {
	var missing []string
	for _, pkg := range packages {
		switch err := copyBuilt(dir, filepath.Base(pkg)); {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, pkg)
		case err != nil:
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return Build(root(), dir, missing...)
}

// copyBuilt copies a program that is built already.
func copyBuilt(dir, name string) error {
	from := os.Getenv(Env)
	if from == "" {
		return fs.ErrNotExist
	}
	text, err := os.ReadFile(filepath.Join(from, name))
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return err
	}
	return linux.WriteProgram(filepath.Join(dir, name), text, 0o755)
}

// Build does what Make does, and builds all of them in any case: from the packages of the
// module that has a directory.
func Build(module, dir string, packages ...string) error {
	return build(module, dir+"/", nil, packages)
}

// Wasm makes a WebAssembly module, for WASI, of a package of this module.
func Wasm(path, pkg string) error {
	return build(root(), path, []string{"GOOS=wasip1", "GOARCH=wasm"}, []string{pkg})
}

func build(module, output string, env, packages []string) error {
	cmd := exec.Command("go", append([]string{"build", "-o", output}, packages...)...)
	cmd.Dir = module
	cmd.Env = slices.Concat(os.Environ(), Flags(), env)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %q in %s: %w\n%s", packages, module, err, out)
	}
	return nil
}

// Flags are environment variables by which the go command compiles as `make build` does.
func Flags() []string { return []string{"CGO_ENABLED=0", "GOFLAGS=-trimpath -ldflags=-s"} }

// One makes a program in a directory of its own, which is removed when the test ends, and
// returns its path.
func One(t testing.TB, pkg string) string {
	t.Helper()
	dir := t.TempDir()
	if err := Make(dir, pkg); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, filepath.Base(pkg))
}

// root returns the directory of the module.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "../../..")
}
