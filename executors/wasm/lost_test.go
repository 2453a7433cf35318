package wasm_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/executors/wasm"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// envCreator makes the test's program an executor that creates one workload, prints
// its process, and waits to be killed.
const envCreator = "DAVIT_TEST_CREATOR"

type creation struct {
	Env      executor.Environment
	Workload executor.Workload
}

func creator(input string) error {
	var c creation
	if err := json.Unmarshal([]byte(input), &c); err != nil {
		return err
	}
	b, err := wasm.Open(context.Background(), c.Env, &site{})
	if err != nil {
		return err
	}
	st, err := b.Create(context.Background(), c.Workload)
	if err != nil {
		return err
	}
	fmt.Println(st.PID)
	select {}
}

// createElsewhere starts a workload with an executor that is then killed.
func (s *site) createElsewhere(args ...string) (ref executor.Ref, pid int) {
	s.t.Helper()
	w := s.workload("c", args...)
	input, err := json.Marshal(creation{
		executor.Environment{HostID: "host", Backend: "wasm", StateDir: s.path("state"), RunDir: s.path("run")}, w,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), envCreator+"="+string(input))
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := fmt.Sscan(line, &pid); err != nil {
		s.t.Fatal(err)
	}
	return w.Ref, pid
}

// TestExecutorDies kills the executor, and then ends the module in every way.
func TestExecutorDies(t *testing.T) {
	tests := map[string]struct {
		module []byte
		end    func(s *site, ref executor.Ref, pid int) error
		want   string
	}{
		"by itself": {nop, func(*site, executor.Ref, int) error { return nil }, "0 0 "},
		"by a signal": {spin, func(s *site, ref executor.Ref, _ int) error {
			return s.backend.Signal(t.Context(), ref, syscall.SIGTERM)
		}, "143 15 "},
		"from outside": {spin, func(_ *site, _ executor.Ref, pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }, "lost"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, `{}`)
			s.write("root/bin/m.wasm", tt.module)
			ref, pid := s.createElsewhere("m")
			if err := tt.end(s, ref, pid); err != nil {
				t.Fatal(err)
			}
			// When it ends, nobody is left to see how.
			wait.Until(t, "the workload has ended", func() bool {
				list := s.list()
				return len(list) == 1 && list[0].State.Ended()
			})
			if _, err := s.backend.Restore(t.Context(), ref, executor.Stdio{}); err != nil {
				t.Fatal(err)
			}
			exit := s.wait()
			got := describe(exit)
			if tt.want == "lost" && got == "137 9 recovered" {
				return // it was still a zombie, from which the end can be read
			}
			if !strings.HasPrefix(got, tt.want) || exit.Source == executor.Observed {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
