package usernet

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/internal/usernet/stage"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// TestHelper connects a namespace by each program, over the death of the helper and that of the
// host.
func TestHelper(t *testing.T) {
	for _, tool := range tools() {
		for name, userns := range map[string]bool{tool.name: false, tool.name + "-userns": true} {
			t.Run(name, func(t *testing.T) {
				need(t, tool.name)
				at := world(t)
				dir := t.TempDir()
				netns := pinned(t, dir, userns)
				first, end := manager(t, dir)
				if err := first.Hold(t.Context(), "a", netns); err != nil {
					t.Fatal(err)
				}
				if got, err := ask(netns, at); got != "hello" {
					t.Errorf("from the namespace: %q, %v", got, err)
				}
				pid := first.pid(t, "a")
				if err := first.Hold(t.Context(), "a", netns); err != nil || first.pid(t, "a") != pid {
					t.Errorf("held again, it is %d in the place of %d (%v)", first.pid(t, "a"), pid, err)
				}
				end()
				second, _ := manager(t, dir)
				second.Keep("a", netns)
				if err := second.Hold(t.Context(), "a", netns); err != nil || second.pid(t, "a") != pid {
					t.Errorf("the next host has %d in the place of %d (%v)", second.pid(t, "a"), pid, err)
				}
				if err := unix.Kill(pid, unix.SIGKILL); err != nil {
					t.Fatal(err)
				}
				wait.Until(t, "another one is started", func() bool {
					now := second.pid(t, "a")
					return now != 0 && now != pid
				})
				wait.Until(t, "it answers", func() bool { got, _ := ask(netns, at); return got == "hello" })
				if ids, err := second.IDs(); err != nil || strings.Join(ids, " ") != "a" {
					t.Errorf("there are %v, %v", ids, err)
				}
				pid = second.pid(t, "a")
				if err := second.End(t.Context(), "a", func() bool { return true }); err != nil || second.pid(t, "a") != pid {
					t.Errorf("kept, it is %d in the place of %d (%v)", second.pid(t, "a"), pid, err)
				}
				if err := second.End(t.Context(), "a", nil); err != nil {
					t.Error(err)
				}
				if s, err := linux.StatOf(pid); err == nil && s.State != 'Z' {
					t.Errorf("it lives on: %+v", s)
				}
				if set, err := configured(netns); set || err != nil {
					t.Errorf("the namespace still has its link (%v)", err)
				}
				if ids, err := second.IDs(); err != nil || len(ids) > 0 {
					t.Errorf("left are %v, %v", ids, err)
				}
			})
		}
	}
}

// TestNoHelper has no program, or one that fails, and leaves nothing but its words.
func TestNoHelper(t *testing.T) {
	need(t, "")
	dir := t.TempDir()
	netns := pinned(t, dir, false)
	m, _ := manager(t, dir)
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	for _, err := range []error{Check(), m.Hold(t.Context(), "a", netns)} {
		if executor.CodeOf(err) != executor.FailedPrecondition || !strings.Contains(err.Error(), "install passt or slirp4netns") {
			t.Errorf("without a program: %v", err)
		}
	}
	if err := os.WriteFile(filepath.Join(bin, "pasta"), []byte("#!/bin/sh\necho not today >&2\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := m.Hold(t.Context(), "a", netns)
	if err == nil || !strings.Contains(err.Error(), "pasta: it has ended") || !strings.Contains(err.Error(), `it said: "not today\n"`) {
		t.Errorf("with a program that fails: %v", err)
	}
	if pid := m.pid(t, "a"); pid != 0 {
		t.Errorf("it lives: %d", pid)
	}
	if err := m.Hold(t.Context(), "a", filepath.Join(dir, "missing")); err == nil {
		t.Error("a namespace that there is not is held")
	}
	if err := m.End(t.Context(), "a", nil); err != nil {
		t.Error(err)
	}
	if err := m.End(t.Context(), "never", nil); err != nil {
		t.Error(err)
	}
}

// TestOthersAreNotKilled has records of processes that are none of a helper's: that of another
// boot, one that has got the pid since, and garbage.
func TestOthersAreNotKilled(t *testing.T) {
	m, _ := manager(t, t.TempDir())
	boot, err := linux.BootID()
	if err != nil {
		t.Fatal(err)
	}
	own, err := linux.StatOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]stage.Process{
		"boot":  {Boot: "another", PID: os.Getpid(), Start: own.Start},
		"start": {Boot: boot, PID: os.Getpid(), Start: own.Start - 1},
		"none":  {Boot: boot, PID: 1 << 30},
		"zero":  {Boot: boot},
	} {
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		m.write(t, name, text)
		if err := m.End(t.Context(), name, nil); err != nil { // and this process lives
			t.Errorf("%s: %v", name, err)
		}
	}
	m.write(t, "garbage", []byte("{"))
	if err := m.End(t.Context(), "garbage", nil); err == nil || !strings.Contains(err.Error(), "record of a helper") {
		t.Errorf("garbage: %v", err)
	}
}

// write writes the record of a helper.
func (m *Manager) write(t *testing.T, id string, text []byte) {
	t.Helper()
	err := os.MkdirAll(filepath.Join(m.dir, id), 0o700)
	for _, file := range []string{filepath.Join(m.dir, id, lockFile), m.stageFile(id)} {
		if err == nil {
			err = os.WriteFile(file, text, 0o600)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}
