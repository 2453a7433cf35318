package runtimes

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Binary gives the program that the shim is to call as its OCI binary: Path, or
// a script in dir that adds Args. The script is written if it is not there yet.
// Empty means the shim's default.
func (r Resolved) Binary(dir string) (string, error) {
	if len(r.Args) == 0 {
		return r.Path, nil
	}
	script := r.script()
	path := r.wrapper(dir)
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

func (r Resolved) wrapper(dir string) string {
	sum := sha256.Sum256([]byte(r.script()))
	return filepath.Join(dir, hex.EncodeToString(sum[:16]))
}

func (r Resolved) script() string {
	var b strings.Builder
	b.WriteString("#!/bin/sh\nexec ")
	b.WriteString(quote(r.Path))
	for _, a := range r.Args {
		b.WriteString(" " + quote(a))
	}
	b.WriteString(" \"$@\"\n")
	return b.String()
}

// quote makes s one word of a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// A script under its final name is whole: it is written aside and renamed.
func writeScript(path, script string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(script)
	if err == nil {
		err = f.Chmod(0o700)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Sweep removes the scripts in dir that used does not hold, by path. Nobody may
// call Binary meanwhile.
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
