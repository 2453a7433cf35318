package linux

import (
	"bufio"
	"os"
	"os/exec"
	"testing"
)

func TestDescendants(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sh -c 'sleep 1000 & echo; wait' & echo; wait")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, p := range Descendants(cmd.Process.Pid) {
			if child, err := os.FindProcess(p.PID); err == nil {
				_ = child.Kill()
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for range 2 {
		lines.Scan()
	}
	found := Descendants(cmd.Process.Pid)
	if len(found) != 2 || found[0].Parent != cmd.Process.Pid || found[1].Parent != found[0].PID || found[1].Start == 0 {
		t.Errorf("got %+v", found)
	}
}
