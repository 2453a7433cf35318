package leftovers

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/linux"
)

// The test binary is also the command, since looking changes a process for good.
func TestMain(m *testing.M) {
	if os.Getenv("DAVIT_LEFTOVERS") == "" {
		os.Exit(m.Run())
	}
	// Others may run tests of davit at the same time, and have cgroups below davit's.
	settle, err := time.ParseDuration(os.Getenv("DAVIT_LEFTOVERS_SETTLE"))
	if err != nil {
		panic(err)
	}
	look := Look{Report: os.Stdout, Settle: settle, Most: 10, Cgroups: os.Getenv("DAVIT_LEFTOVERS")}
	status, err := look.Run(os.Args[1:]...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(status)
}

// little is how long what stays is waited for.
const little = 300 * time.Millisecond

// cgroups is the parent of the cgroups that count here.
func cgroups() string { return fmt.Sprintf("/davit-leftovers-%d", os.Getpid()) }

// look runs a shell script, and returns the report of what it has left after a while.
func look(t *testing.T, script string, settle time.Duration) (report string, status int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "/bin/sh", "-c", script)
	cmd.Env = append(os.Environ(), "DAVIT_LEFTOVERS="+cgroups(), "DAVIT_LEFTOVERS_SETTLE="+settle.String(), "TMPDIR="+t.TempDir())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || stderr.Len() > 0 {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func TestNothingIsLeft(t *testing.T) {
	for script, want := range map[string]int{
		"exit 0": 0,
		"exit 7": 7,
		// What is gone soon is not left, whoever its parent was.
		"touch $TMPDIR/f; (setsid sh -c 'sleep 0.1; rm $TMPDIR/f' &)": 0,
	} {
		if report, status := look(t, script, time.Minute); status != want || report != "" {
			t.Errorf("%s: got status %d and %q, want %d", script, status, report, want)
		}
	}
}

func TestWhatIsLeft(t *testing.T) {
	for name, tt := range map[string]struct {
		script, want string
		root         bool
	}{
		"file":    {script: "touch $TMPDIR/some", want: "file /"},
		"orphan":  {script: "(setsid sleep 4321 &)", want: "sleep 4321"},
		"mount":   {script: "mkdir $TMPDIR/m; mount -t tmpfs none $TMPDIR/m", want: "mount /", root: true},
		"failure": {script: "touch $TMPDIR/some; exit 3", want: "file /"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.root && os.Geteuid() != 0 {
				t.Skip("needs root")
			}
			report, status := look(t, tt.script, little)
			for line := range strings.SplitSeq(report, "\n") {
				if at, ok := strings.CutPrefix(strings.TrimSpace(line), "mount "); ok {
					if err := exec.Command("umount", at).Run(); err != nil {
						t.Error(err)
					}
				}
			}
			if want := map[bool]int{true: 3, false: 1}[name == "failure"]; status != want || !strings.Contains(report, tt.want) {
				t.Errorf("got status %d and %q, want %d and %q", status, report, want, tt.want)
			}
			if strings.Contains(report, "process ") && exec.Command("/bin/sh", "-c", "for p in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$p; done 2>/dev/null | grep -q '^"+tt.want+"'").Run() == nil {
				t.Error("a process that is left still runs")
			}
		})
	}
}

func TestCgroupsThatAreLeft(t *testing.T) {
	mounts, err := linux.CgroupMounts()
	if os.Geteuid() != 0 || err != nil || len(mounts) == 0 {
		t.Skip("needs root and cgroups")
	}
	dir := mounts[0].Dir(filepath.Join(cgroups(), "a"))
	defer os.Remove(filepath.Dir(dir))
	defer os.Remove(dir)
	defer os.Remove(dir + "/below")
	report, status := look(t, "mkdir -p "+dir+"/below", little)
	if status != 1 || !strings.Contains(report, "cgroup "+dir+"/below") {
		t.Errorf("got status %d and %q", status, report)
	}
	// What was there before does not count.
	if report, status := look(t, "exit 0", time.Minute); status != 0 {
		t.Errorf("got status %d and %q", status, report)
	}
}
