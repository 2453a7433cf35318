package runtimes

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/shared/linux"
)

// Binary returns the program that the shim must call as its OCI binary: Path, or a
// script in dir that calls it with Args. Empty means the shim's default.
//
// With merge set, the script also makes the workload's stderr the same pipe as
// its stdout: a shim copies from one pipe for each, so this alone keeps the lines
// of both in order. The shim's own stderr stream then stays empty.
//
// A script is written if it is not there yet; see [Sweep].
func (r Resolved) Binary(dir string, merge bool) (string, error) {
	merge = merge && r.Kind().takesPath()
	if len(r.Args) == 0 && !merge {
		return r.Path, nil
	}
	script := r.script(merge)
	sum := sha256.Sum256([]byte(script))
	path := filepath.Join(dir, hex.EncodeToString(sum[:16]))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("wrapper script: %w", err)
	}
	if err := writeScript(path, script); err != nil {
		return "", fmt.Errorf("write wrapper script for %s: %w", r.Path, err)
	}
	return path, nil
}

func (r Resolved) script(merge bool) string {
	words := []string{"exec", quote(cmp.Or(r.Path, defaultBinary))}
	for _, a := range r.Args {
		words = append(words, quote(a))
	}
	command := strings.Join(append(words, `"$@"`), " ")
	if !merge {
		return "#!/bin/sh\n" + command + "\n"
	}
	// The other commands that the shim calls answer on stdout, where stderr must not
	// appear.
	return "#!/bin/sh\nfor a; do\n\tcase $a in create) " + command + " 2>&1 ;; esac\ndone\n" + command + "\n"
}

// defaultBinary is what the shims of runc call by default.
const defaultBinary = "runc"

// quote returns s as one word of a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// writeScript writes a script, which is whole under its final name: it is written
// aside and renamed.
func writeScript(path, script string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	draft := filepath.Join(filepath.Dir(path), ".new-"+rand.Text())
	defer os.Remove(draft)
	if err := linux.WriteProgram(draft, []byte(script), 0o700); err != nil {
		return err
	}
	f, err := os.Open(draft)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(draft, path)
}

// Sweep removes the scripts in dir whose path is not in used. Nobody may call Binary
// meanwhile.
func Sweep(dir string, used map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if path := filepath.Join(dir, e.Name()); !used[path] {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}
