package ocispec

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestProcess makes the process objects of further processes.
func TestProcess(t *testing.T) {
	rootfs := t.TempDir()
	if err := os.MkdirAll(filepath.Join(rootfs, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(rootfs, "etc/passwd"), []byte("web:x:33:44::/:/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	spec := json.RawMessage(`{"root":{"path":"` + rootfs + `"},"process":{"args":["httpd"],"cwd":"/srv","env":["A=1","B=2"],"noNewPrivileges":true,"user":{"uid":0,"gid":0},"terminal":false,"capabilities":{"bounding":["CAP_KILL"]},"x-own":7}}`)
	yes, no := true, false
	for name, tt := range map[string]struct {
		opts Options
		want func(p specs.Process) bool
	}{
		"as the container's": {Options{Args: []string{"sh"}, Terminal: &no}, func(p specs.Process) bool {
			return slices.Equal(p.Args, []string{"sh"}) && p.Cwd == "/srv" && slices.Equal(p.Env, []string{"A=1", "B=2"}) && p.NoNewPrivileges && p.User.UID == 0 && !p.Terminal
		}},
		"other": {Options{Args: []string{"sh"}, Env: []string{"B=3", "C=4"}, Cwd: "/", User: "web", Terminal: &no}, func(p specs.Process) bool {
			return p.Cwd == "/" && slices.Equal(p.Env, []string{"A=1", "B=3", "C=4"}) && p.User.UID == 33 && p.User.GID == 44
		}},
		"terminal": {Options{Args: []string{"sh"}, Terminal: &yes, ConsoleSize: &specs.Box{Width: 80, Height: 24}}, func(p specs.Process) bool {
			return p.Terminal && p.ConsoleSize != nil && p.ConsoleSize.Width == 80 && slices.Contains(p.Env, "TERM=xterm")
		}},
		"privileged": {Options{Args: []string{"sh"}, Terminal: &no, Privileged: true}, func(p specs.Process) bool {
			return p.Capabilities != nil && slices.Contains(p.Capabilities.Bounding, "CAP_KILL")
		}},
	} {
		raw, err := Process(spec, tt.opts)
		var p specs.Process
		var kept struct {
			Own int `json:"x-own"`
		}
		if err == nil {
			err = errors.Join(json.Unmarshal(raw, &p), json.Unmarshal(raw, &kept))
		}
		if err != nil || !tt.want(p) || kept.Own != 7 {
			t.Errorf("%s: got %s, %v", name, raw, err)
		}
	}
	for name, opts := range map[string]Options{
		"no command":   {},
		"relative cwd": {Args: []string{"sh"}, Cwd: "x"},
		"unknown user": {Args: []string{"sh"}, User: "nobody"},
	} {
		if _, err := Process(spec, opts); !errors.Is(err, executor.Invalid) {
			t.Errorf("%s: got %v, want invalid", name, err)
		}
	}
}
