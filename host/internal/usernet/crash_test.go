package usernet

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/linux"
	"github.com/hashicorp/go-hclog"
)

// holdDir has a process hold a helper in a directory, for the tests of hosts that are killed. With
// holdTied the helper is tied to it.
const (
	holdDir  = "DAVIT_TEST_HOLD"
	holdTied = "DAVIT_TEST_HOLD_TIED"
)

// holdFor is the life of such a process: it says when there is a helper.
func holdFor(dir string) {
	m := New(Options{RunDir: dir, Logger: hclog.NewNullLogger(), Tied: os.Getenv(holdTied) != ""})
	if err := m.Hold(context.Background(), "a", filepath.Join(dir, "netns")); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("held")
	select {}
}

// hostOf starts a process that holds a helper.
func hostOf(t *testing.T, dir string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(append(os.Environ(), holdDir+"="+dir), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// helpers returns the processes that have to do with a directory.
func helpers(dir string) (found []string) {
	pids, _ := linux.PIDs()
	for _, pid := range pids {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		cwd, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
		if strings.Contains(string(line), dir) || strings.HasPrefix(cwd, dir) {
			found = append(found, fmt.Sprintf("%d %q", pid, strings.ReplaceAll(string(line), "\x00", " ")))
		}
	}
	return found
}

// TestHostKilled kills hosts at all moments of the start of a helper. The next one finds it, or
// starts another, of which there is one, and nothing is left at the end.
func TestHostKilled(t *testing.T) {
	need(t, "slirp4netns")
	at := world(t)
	dir := t.TempDir()
	netns := pinned(t, dir, false)
	for i := range 12 {
		host := hostOf(t, dir)
		if err := host.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i) * 6 * time.Millisecond)
		_ = host.Process.Kill()
		_ = host.Wait()
		m, end := manager(t, dir)
		if err := m.Hold(t.Context(), "a", netns); err != nil {
			t.Errorf("after a kill: %v", err)
		}
		if got, err := ask(netns, at); got != "hello" {
			t.Errorf("from the namespace: %q, %v", got, err)
		}
		if found := helpers(dir); len(found) != 1 {
			t.Errorf("there are %q", found)
		}
		if i%2 == 0 { // otherwise the next one finds it
			if err := m.End(t.Context(), "a", nil); err != nil {
				t.Error(err)
			}
			if found := helpers(dir); len(found) > 0 {
				t.Errorf("left are %q", found)
			}
		}
		end()
	}
	m, _ := manager(t, dir)
	if err := m.End(t.Context(), "a", nil); err != nil || len(helpers(dir)) > 0 {
		t.Errorf("left are %q, %v", helpers(dir), err)
	}
}

// TestTied has a helper end with the process that has started it.
func TestTied(t *testing.T) {
	for _, tool := range tools() {
		t.Run(tool.name, func(t *testing.T) {
			need(t, tool.name)
			world(t)
			dir := t.TempDir()
			pinned(t, dir, false)
			host := hostOf(t, dir, holdTied+"=1")
			out, err := host.StdoutPipe()
			if err == nil {
				err = host.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			said := make([]byte, 100)
			n, _ := out.Read(said)
			if string(said[:n]) != "held\n" {
				t.Errorf("it says %q", said[:n])
			}
			_ = host.Process.Kill()
			_ = host.Wait()
			if !wait.Holds(func() bool { return len(helpers(dir)) == 0 }) {
				t.Errorf("there are %q", helpers(dir))
			}
			m, _ := manager(t, dir)
			if err := m.End(t.Context(), "a", nil); err != nil {
				t.Error(err)
			}
		})
	}
}
