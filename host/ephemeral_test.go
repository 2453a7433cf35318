package host

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/linux"
)

// ephemeralEnv makes the test binary a program with an ephemeral host, below the
// directory that it names. It prints the processes of its executor and containers
// and waits to be killed.
const ephemeralEnv = "DAVIT_TEST_EPHEMERAL"

func ephemeralProgram(dir string) error {
	ctx := context.Background()
	h, err := Open(ctx, configAt(dir), Options{Ephemeral: true})
	if err != nil {
		return err
	}
	opts := api.ContainerOptions{Rootfs: dir}
	opts.Process.Args = strings.Fields("sleep 60")
	var pids []int
	for range 3 {
		c, err := h.Create(ctx, opts)
		if err != nil {
			return err
		}
		pids = append(pids, c.PID)
	}
	fmt.Println(append([]int{h.backends.All()["a"].Info().PID}, pids...))
	select {}
}

// startEphemeral starts such a program and returns the processes behind it, the
// executor's first.
func startEphemeral(t *testing.T, dir string) (*exec.Cmd, []int) {
	t.Helper()
	cmd := exec.Command(filepath.Join(dir, "bin", "davit-executor-memory"))
	cmd.Env = append(os.Environ(), ephemeralEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line := make([]byte, 200)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for field := range strings.FieldsSeq(strings.Trim(string(line[:n]), "[]\n")) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatalf("got %q", line[:n])
		}
		pids = append(pids, pid)
	}
	return cmd, pids
}

// lives reports whether a process is there and no zombie.
func lives(pid int) bool {
	stat, err := linux.StatOf(pid)
	return err == nil && stat.State != 'Z'
}

func anyLives(pids []int) bool { return slices.ContainsFunc(pids, lives) }

func TestEphemeralContainersDieWithTheProgram(t *testing.T) {
	cfg := testConfig(t)
	program, pids := startEphemeral(t, filepath.Dir(cfg.StateDir))
	if !lives(pids[0]) || !lives(pids[3]) {
		t.Fatalf("processes %d do not all live", pids)
	}
	of, err := linux.CgroupsOf(pids[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "all are gone", func() bool { return !anyLives(pids) })
	for _, path := range of {
		if name := filepath.Base(path); strings.HasPrefix(name, "executor.") {
			if left := realtest.Cgroups(name); len(left) > 0 {
				t.Errorf("the executor left its cgroups %v", left)
			}
			break
		}
	}
	if left, err := os.ReadDir(filepath.Join(cfg.StateDir, "backends/a/workloads")); err != nil || len(left) != 0 {
		t.Errorf("the executor left %v, %v", left, err)
	}
}

// The executor is killed before the program is: the next host cleans up.
func TestEphemeralContainersWithoutAnExecutor(t *testing.T) {
	cfg := testConfig(t)
	program, pids := startEphemeral(t, filepath.Dir(cfg.StateDir))
	realtest.Stop(t, program.Process.Pid) // it cannot start another executor
	for _, sig := range []struct {
		pid int
		sig syscall.Signal
	}{{pids[0], syscall.SIGKILL}, {program.Process.Pid, syscall.SIGKILL}} {
		if err := syscall.Kill(sig.pid, sig.sig); err != nil {
			t.Fatal(err)
		}
	}
	_ = program.Wait()
	if !lives(pids[1]) {
		t.Error("the container died with its executor")
	}
	h, err := Open(t.Context(), cfg, Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "the next host has removed all", func() bool {
		all, err := h.List()
		return err == nil && len(all) == 0 && !anyLives(pids)
	})
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}

func TestCloseOfAnEphemeralHost(t *testing.T) {
	cfg := testConfig(t)
	h, err := Open(t.Context(), cfg, Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	c := mustCreate(t, h, program(t, "ignore 15", "sleep 60"))
	pids := []int{c.PID, h.backends.All()["a"].Info().PID}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if anyLives(pids) {
		t.Errorf("one of the processes %d lives", pids)
	}
	if left, err := os.ReadDir(filepath.Join(cfg.StateDir, "containers")); err != nil || len(left) != 0 {
		t.Errorf("output is left: %v, %v", left, err)
	}
}
