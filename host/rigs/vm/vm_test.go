package vm

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/linux"
)

const rootfs = "/srv/rootfs"

// need skips everywhere but in the virtual machine, when it runs this part of the tests.
func need(t *testing.T, part string) {
	t.Helper()
	if os.Getenv("DAVIT_VM") != part {
		t.Skip("runs in a virtual machine: make vm")
	}
}

// place is where a container runs: a backend and a runtime of the config that the script
// inside writes.
type place struct{ backend, runtime string }

func places() []place {
	return []place{
		{"shim", ""}, {"shim", "systemd"}, {"shim", "cgroupfs"},
		{"containerd", ""}, {"containerd", "systemd"}, {"containerd", "cgroupfs"},
		{"process", ""},
	}
}

func (p place) String() string { return strings.TrimSuffix(p.backend+"-"+p.runtime, "-") }

// systemd reports whether systemd is to make the cgroups there.
func (p place) systemd() bool {
	return p.runtime == "systemd" || p.runtime == "" && p.backend != "process" && linux.CgroupsUnified()
}

// run runs a script in the background until the test ends.
func (p place) run(t *testing.T, name, script string, flags ...string) {
	t.Helper()
	args := []string{"run", "-d", "--name", name, "--backend", p.backend, "--rootfs", rootfs}
	if p.runtime != "" {
		args = append(args, "--runtime", p.runtime)
	}
	args = append(append(args, flags...), "sh", "-c", script)
	out := davit(t, args...)
	for strings.Contains(out, "backend "+p.backend+" is ") { // starting: the machine is slow
		out = davit(t, args...)
	}
	if len(out) != 16 {
		t.Fatalf("run: %s", out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("davit", "rm", "-f", name).CombinedOutput(); err != nil {
			t.Errorf("rm -f: %v: %s", err, out)
		}
	})
}

func davit(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "davit", args...).CombinedOutput()
	if err != nil {
		t.Logf("davit %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

// exit is what inspect says of the end of a container.
type exit struct {
	Code   *int
	OOM    *bool
	Source string
}

func exitOf(t *testing.T, name string) exit {
	t.Helper()
	davit(t, "wait", name)
	text := davit(t, "inspect", name)
	var list []struct{ Exit exit }
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list) != 1 {
		t.Fatalf("inspect %s: %v: %s", name, err, text)
	}
	return list[0].Exit
}

func (e exit) check(t *testing.T, code int, oom bool) {
	t.Helper()
	if e.Code == nil || *e.Code != code || e.OOM == nil || *e.OOM != oom {
		text, _ := json.Marshal(e)
		t.Errorf("exit is %s, want code %d and OOM %t", text, code, oom)
	}
}

// hog takes more memory than it may have.
const hog = "tail /dev/zero"

// TestOOM runs out of memory on each backend, with either maker of cgroups.
func TestOOM(t *testing.T) {
	need(t, "cgroups")
	for _, p := range places() {
		t.Run(p.String(), func(t *testing.T) {
			p.run(t, "where", "exec sleep 600", "-m", "16m")
			if got := inScope(t, "where"); got != p.systemd() {
				t.Errorf("in a scope of systemd: %t, want %t", got, p.systemd())
			}
			davit(t, "kill", "where") // no OOM, and the same code
			exitOf(t, "where").check(t, 137, false)
			p.run(t, "hog", "exec "+hog, "-m", "16m")
			exitOf(t, "hog").check(t, 137, true)
			p.run(t, "child", hog+"; exit 5", "-m", "16m")
			exitOf(t, "child").check(t, 5, true)
			p.run(t, "modest", "exit 3", "-m", "16m")
			exitOf(t, "modest").check(t, 3, false)
		})
	}
}

func pidOf(t *testing.T, name string) int {
	t.Helper()
	var list []struct{ PID int }
	if err := json.Unmarshal([]byte(davit(t, "inspect", name)), &list); err != nil || len(list) != 1 || list[0].PID == 0 {
		t.Fatalf("inspect %s: %+v, %v", name, list, err)
	}
	return list[0].PID
}

// TestNothingInherited: the unit has a nice value and an OOM score of its own.
func TestNothingInherited(t *testing.T) {
	need(t, "cgroups")
	for _, p := range places() {
		t.Run(p.String(), func(t *testing.T) {
			p.run(t, "values", "exec sleep 600")
			proc := fmt.Sprintf("/proc/%d/", pidOf(t, "values"))
			stat, err := os.ReadFile(proc + "stat")
			score, serr := os.ReadFile(proc + "oom_score_adj")
			if err != nil || serr != nil {
				t.Fatal(err, serr)
			}
			if nice := strings.Fields(string(stat))[18]; nice != "0" || string(score) != "0\n" {
				t.Errorf("nice value %s, OOM score %s", nice, score)
			}
		})
	}
}

// inScope reports whether a container is in a scope.
func inScope(t *testing.T, name string) bool {
	t.Helper()
	paths, err := linux.CgroupsOf(pidOf(t, name))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, ".scope") {
			return true
		}
	}
	return false
}

// TestOOMAfterRestart lets containers run out of memory that an earlier executor, and an
// earlier host, had started.
func TestOOMAfterRestart(t *testing.T) {
	need(t, "cgroups")
	for _, p := range []place{{"shim", "systemd"}, {"containerd", "systemd"}} {
		t.Run(p.String(), func(t *testing.T) {
			for i, restart := range [][]string{{"davit", "backend", "restart", p.backend}, {"systemctl", "restart", "davit"}} {
				name := "later" + string(rune('0'+i))
				p.run(t, name, "trap : USR1; sleep 600 & wait; exec "+hog, "-m", "16m")
				if out, err := exec.CommandContext(t.Context(), restart[0], restart[1:]...).CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				for davit(t, "kill", "-s", "USR1", name) != name { // the host comes back
				}
				exitOf(t, name).check(t, 137, true)
			}
		})
	}
}

// TestNothingLeft looks for units of containers that are gone.
func TestNothingLeft(t *testing.T) {
	need(t, "cgroups")
	out, err := exec.CommandContext(t.Context(), "systemctl", "list-units", "--all", "--plain", "--no-legend", "davit-*.scope").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("left behind: %s (%v)", out, err)
	}
}
