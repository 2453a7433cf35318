package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// makeRoot makes a root file system with a program of each kind.
func makeRoot(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"bin", "data"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, f := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"elf":       {"\x7fELF\x02", 0o755},
		"script":    {"#!/bin/elf -x\n", 0o755},
		"env":       {"#! /bin/script\n", 0o755},
		"bad":       {"#!/bin/nope\n", 0o755},
		"bad-elf":   {"#!/bin/plain\n", 0o755},
		"none":      {"echo hello\n", 0o755},
		"nameless":  {"#!\n", 0o755},
		"empty":     {"", 0o755},
		"itself":    {"#!/bin/itself\n", 0o755},
		"from-data": {"#!/data/sh\n", 0o755},
		"plain":     {"\x7fELF", 0o644},
	} {
		if err := os.WriteFile(filepath.Join(dir, "bin", name), []byte(f.text), f.mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"loop": "loop", "link": "/bin/elf", "out": "../../../bin/elf", "to-data": "/data/x"} {
		if err := os.Symlink(to, filepath.Join(dir, "bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(filepath.Join(dir, "bin", "fifo"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFind(t *testing.T) {
	root := makeRoot(t)
	const found, notFound, denied = executor.Code(""), executor.CommandNotFound, executor.CommandNotExecutable
	for command, want := range map[string]struct {
		code executor.Code
		says string
	}{
		"/bin/elf":       {found, "/bin/elf"},
		"elf":            {found, "/bin/elf"},
		"./elf":          {found, "/bin/./elf"},
		"../bin/elf":     {found, "/bin/../bin/elf"},
		"link":           {found, "/bin/link"},
		"out":            {found, "/bin/out"},
		"script":         {found, "/bin/script"},
		"env":            {found, "/bin/env"},
		"nope":           {notFound, `"nope" is not found in PATH (/sbin:/bin)`},
		"/bin/nope":      {notFound, "/bin/nope: no such file"},
		"/bin/elf/x":     {notFound, "/bin/elf/x: no such file"},
		"":               {notFound, "empty"},
		"bad":            {notFound, `its interpreter "/bin/nope": no such file`},
		"bad-elf":        {denied, `its interpreter "/bin/plain": is not executable`},
		"none":           {denied, "exec format error"},
		"nameless":       {denied, "names no interpreter"},
		"empty":          {denied, "exec format error"},
		"itself":         {denied, "too many"},
		"plain":          {denied, "is not executable"},
		"loop":           {denied, "too many levels of symbolic links"},
		"/bin":           {denied, "is a directory"},
		"fifo":           {denied, "is not a regular file"},
		"/data/x":        {found, ""}, // on a mount
		"to-data":        {found, ""},
		"from-data":      {found, "/bin/from-data"},
		"x\x00y":         {executor.Invalid, "argument 0 has a NUL byte"},
		"/data/../bin/x": {notFound, "no such file"},
	} {
		c := Command{Args: []string{command}, Env: []string{"PATH=/sbin:/bin"}, Cwd: "/bin", Mounts: []string{"/proc", "/data/"}}
		path, err := c.Find(root)
		if executor.CodeOf(err) != want.code || err == nil && path != want.says || err != nil && !strings.Contains(err.Error(), want.says) {
			t.Errorf("%q: got %q, %s: %v; want %s with %q", command, path, executor.CodeOf(err), err, want.code, want.says)
		}
	}
	if _, err := (Command{Args: []string{"elf"}}).Find(filepath.Join(root, "nope")); executor.CodeOf(err) != executor.Invalid {
		t.Errorf("no root: got %v", err)
	}
}

func TestFindWithinTheKernelsBounds(t *testing.T) {
	root := makeRoot(t)
	many := make([]string, 60)
	for i := range many {
		many[i] = strings.Repeat("x", maxString-1)
	}
	for name, tt := range map[string]struct {
		c    Command
		code executor.Code
		says string
	}{
		"longest":           {Command{Args: []string{"/bin/elf", many[0]}}, "", ""},
		"too long":          {Command{Args: []string{"/bin/elf", many[0] + "x"}}, executor.CommandNotExecutable, "argument 1 has 131072 bytes"},
		"too long variable": {Command{Args: []string{"/bin/elf"}, Env: []string{"A=" + many[0]}}, executor.CommandNotExecutable, `environment variable "A"`},
		"too many":          {Command{Args: append([]string{"/bin/elf"}, many...)}, executor.CommandNotExecutable, "argument list too long"},
		"NUL variable":      {Command{Args: []string{"/bin/elf"}, Env: []string{"A=\x00"}}, executor.Invalid, `environment variable "A" has a NUL byte`},
	} {
		if _, err := tt.c.Find(root); executor.CodeOf(err) != tt.code || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %s: %v", name, executor.CodeOf(err), err)
		}
	}
}
