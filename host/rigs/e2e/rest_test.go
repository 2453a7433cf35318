package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/linux"
)

// atRest is what processes do in a time without events.
type atRest struct {
	processes int
	cpu       time.Duration
	switches  int // how often one of their threads was woken, or had to wait
	of        time.Duration
}

func (r atRest) String() string {
	return fmt.Sprintf("%.2f %% of a core, %.1f context switches a second, %d processes", 100*r.cpu.Seconds()/r.of.Seconds(), float64(r.switches)/r.of.Seconds(), r.processes)
}

// restOf lets the processes that have a directory in their command line, or as their
// working directory, rest for a while. Workloads are not among them.
func restOf(dir string, idle time.Duration) (r atRest) {
	sum := func() (r atRest) {
		pids, _ := linux.PIDs()
		for _, pid := range pids {
			proc := fmt.Sprintf("/proc/%d", pid)
			command, _ := os.ReadFile(proc + "/cmdline")
			cwd, _ := os.Readlink(proc + "/cwd")
			if pid != os.Getpid() && (bytes.Contains(command, []byte(dir)) || strings.HasPrefix(cwd, dir)) {
				r.processes++
				r.add(proc)
			}
		}
		return r
	}
	before := sum()
	time.Sleep(idle)
	r = sum()
	r.cpu, r.switches, r.of = r.cpu-before.cpu, r.switches-before.switches, idle
	return r
}

func (r *atRest) add(proc string) {
	tasks, _ := filepath.Glob(proc + "/task/*")
	for _, task := range tasks {
		stat, _ := os.ReadFile(task + "/schedstat") // in nanoseconds, where stat has hundredths of a second
		if f := strings.Fields(string(stat)); len(f) > 0 {
			n, _ := strconv.ParseInt(f[0], 10, 64)
			r.cpu += time.Duration(n)
		}
		status, _ := os.ReadFile(task + "/status")
		for line := range strings.Lines(string(status)) {
			if _, n, ok := strings.Cut(line, "ctxt_switches:"); ok {
				n, _ := strconv.Atoi(strings.TrimSpace(n))
				r.switches += n
			}
		}
	}
}

// restOfCtr measures the same of a containerd with tasks of ctr, none and n.
func restOfCtr(t *testing.T, n int, idle time.Duration) (none, all atRest) {
	d := realtest.Start(t, realtest.V24)
	none = restOf(d.Dir, idle)
	ctr := filepath.Join(realtest.Bin(t, realtest.V24), "ctr")
	each := func(args func(id string) [][]string) {
		var wg sync.WaitGroup
		slots := make(chan struct{}, 8)
		for i := range n {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				for _, a := range args("rest-" + strconv.Itoa(i)) {
					if out, err := exec.Command(ctr, append([]string{"-a", d.Address}, a...)...).CombinedOutput(); err != nil {
						t.Errorf("ctr %v: %v: %s", a, err, out)
					}
				}
			})
		}
		wg.Wait()
	}
	defer each(func(id string) [][]string {
		return [][]string{{"task", "kill", "-s", "SIGKILL", id}, {"task", "delete", "--force", id}, {"container", "delete", id}}
	})
	each(func(id string) [][]string {
		return [][]string{{"run", "-d", "--null-io", "--rootfs", rootfs, id, "/bin/sleep", "36000"}}
	})
	return none, restOf(d.Dir, idle)
}
