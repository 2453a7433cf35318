package supervisor

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/transport"
)

// askEnv makes the test's program ask itself, as an executor, print its pid, and wait.
const askEnv = "DAVIT_TEST_ASK"

func askForever(path string) {
	panic(Ask(context.Background(), Binary{Path: path}, transport.Hello{}, func(_ transport.Client, r transport.HelloReply) error {
		os.Stdout.WriteString(strconv.Itoa(r.PID) + "\n")
		select {}
	}))
}

// TestAskIsKilled kills a process that asks an executor, as a user does who is tired of
// `davit validate`. Nothing of it is left.
func TestAskIsKilled(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tmp := runDir(t)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), askEnv+"="+self, "TMPDIR="+tmp)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || syscall.Kill(pid, 0) != nil {
		t.Fatalf("the executor is process %q", line)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	waitEnded(t, pid)
	if left, _ := os.ReadDir(tmp); len(left) != 0 {
		t.Errorf("got %v left in %s", left, tmp)
	}
}

// What an earlier version, or a process that was killed earlier, has left goes too.
func TestAskSweeps(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	for name, age := range map[string]time.Duration{"old": 2 * askAge, "new": 0} {
		dir := filepath.Join(tmp, askPrefix+name)
		if err := os.MkdirAll(filepath.Join(dir, "x"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(dir, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	sweepAsked()
	left, err := filepath.Glob(filepath.Join(tmp, "*"))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != askPrefix+"new" {
		t.Errorf("got %v, %v", left, err)
	}
}
