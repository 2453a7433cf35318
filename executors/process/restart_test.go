package process_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/executors/process"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// crash ends the backend as if its process had been killed, as far as that can be
// done within one, and opens it again.
func (f *fixture) crash(meanwhile func()) {
	f.t.Helper()
	if err := f.b.Close(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	meanwhile()
	f.open()
}

// monitorOf returns the monitor of a running workload.
func monitorOf(t testing.TB, pid int) int {
	t.Helper()
	stat, err := linux.StatOf(pid)
	if err != nil {
		t.Fatal(err)
	}
	monitor := stat.Parent
	cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", monitor))
	if !strings.HasPrefix(string(cmdline), "davit-monitor\x00") {
		t.Fatalf("the parent of %d is %d, %q", pid, monitor, cmdline)
	}
	return monitor
}

func kill(t testing.TB, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "the process has ended", func() bool { return !alive(pid) })
}

func TestWorkloadKilledWhileNobodyWatches(t *testing.T) {
	f := newFixture(t, "{}")
	ref := first("victim")
	st := f.run(ref, command("echo ready; sleep 300"))
	f.streams.WaitOutput(ref, "out", "ready")
	f.crash(func() { kill(t, st.PID) })
	if _, err := f.b.Restore(t.Context(), ref, executor.Stdio{}); err != nil {
		t.Fatal(err)
	}
	exit, out := f.wait(ref)
	if *exit.Code != 137 || exit.Signal != syscall.SIGKILL || out != executor.Complete {
		t.Errorf("got %+v, %s", exit, out)
	}
}

func TestMonitorKilled(t *testing.T) {
	for _, watched := range []bool{true, false} {
		t.Run(fmt.Sprintf("watched=%t", watched), func(t *testing.T) {
			f := newFixture(t, "{}")
			ref := first("orphan")
			// One of its processes has the first one's session, one has its own.
			st := f.run(ref, command(`trap '' TERM; sh -c 'trap "" HUP; echo $$; sleep 300' & `+ifRoot(`setsid sh -c 'echo $$; sleep 300' &`)+` sleep 0.2; echo ready; wait`))
			f.streams.WaitOutput(ref, "out", "ready")
			monitor := monitorOf(t, st.PID)
			if watched {
				kill(t, monitor)
			} else {
				f.crash(func() { kill(t, monitor) })
				// It runs until it notices the death of its parent.
				wait.Until(t, "its end is listed", func() bool {
					list, err := f.b.List(t.Context())
					return err == nil && len(list) == 1 && list[0].State == executor.Exited && list[0].Exit.Source == executor.Lost
				})
				if _, err := f.b.Restore(t.Context(), ref, executor.Stdio{}); err != nil {
					t.Fatal(err)
				}
			}
			exit, _ := f.wait(ref)
			if exit.Source != executor.Lost || exit.Reason != "the monitor was killed" {
				t.Errorf("exit: got %+v", exit)
			}
			for _, pid := range append(strings.Fields(f.streams.Output(ref, "out")), strconv.Itoa(st.PID)) {
				if alive(pid) {
					t.Errorf("process %s has survived", pid)
				}
			}
			// What was reported once does not change.
			f.crash(func() {})
			if st, err := f.b.Restore(t.Context(), ref, executor.Stdio{}); err != nil || st.Exit == nil || st.Exit.Source != executor.Lost {
				t.Errorf("restore: got %+v, %v", st, err)
			}
		})
	}
}

func ifRoot(s string) string {
	if os.Geteuid() == 0 {
		return s
	}
	return ""
}

// TestMonitorKilledAtAnyMoment: when a monitor is killed, at most the exit is lost.
func TestMonitorKilledAtAnyMoment(t *testing.T) {
	f := newFixture(t, "{}")
	for i := range 30 {
		ref := first(fmt.Sprintf("m-%d", i))
		w := f.workload(ref, command("echo started; sleep 0.01; exit 9"))
		done := make(chan error, 1)
		go func() {
			_, err := f.b.Create(t.Context(), w)
			done <- err
		}()
		var monitor int
		wait.Until(t, "there is a monitor", func() bool { monitor = monitorNamed(ref); return monitor != 0 || len(done) > 0 })
		time.Sleep(time.Duration(rand.IntN(25)) * time.Millisecond)
		if monitor != 0 {
			_ = syscall.Kill(monitor, syscall.SIGKILL)
		}
		if err := <-done; err != nil {
			if _, rerr := f.b.Restore(t.Context(), ref, w.Stdio); executor.CodeOf(rerr) != executor.NotFound {
				t.Errorf("%s: create failed with %v, restore says %v", ref, err, rerr)
			}
			continue
		}
		exit, _ := f.wait(ref)
		if lost := exit.Source == executor.Lost; !lost && *exit.Code != 9 {
			t.Errorf("%s: exit %+v", ref, exit)
		}
		if got := f.streams.Output(ref, "out"); len(got) > len("started\n") {
			t.Errorf("%s: output %q", ref, got)
		}
	}
}

// monitorNamed returns the monitor of an attempt, 0 if there is none.
func monitorNamed(ref executor.Ref) int {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		if b, err := os.ReadFile(file); err == nil && string(b) == "davit-monitor\x00"+ref.String()+"\x00" {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			return pid
		}
	}
	return 0
}

func TestReboot(t *testing.T) {
	f := newFixture(t, "{}")
	ref := first("rebooted")
	st := f.run(ref, command("exec sleep 300"))
	f.crash(func() {
		// The workload of this life of the machine is to be gone as after a reboot.
		kill(t, monitorOf(t, st.PID))
		wait.Until(t, "the workload has ended", func() bool { return !alive(st.PID) })
		cgroups, _ := filepath.Glob(filepath.Join("/sys/fs/cgroup/*/davit", f.b.Key(), "*-"+f.b.Key()))
		for _, dir := range cgroups {
			// It is in use until the process that was its last is reaped.
			wait.Until(t, dir+" is removed", func() bool { err := os.Remove(dir); return err == nil || os.IsNotExist(err) })
		}
		job := filepath.Join(f.env.StateDir, "containers", ref.ID, "job.json")
		b, err := os.ReadFile(job)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(job, []byte(strings.Replace(string(b), `"boot":"`, `"boot":"0`, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := f.b.Restore(t.Context(), ref, executor.Stdio{}); err != nil {
		t.Fatal(err)
	}
	if exit, out := f.wait(ref); exit.Source != executor.Lost || exit.Reason != "the machine was rebooted" || out != executor.Truncated {
		t.Errorf("got %+v, %s", exit, out)
	}
}

// envDriver makes this program an executor that creates containers in the
// directory that it names, until it is killed.
const envDriver = "DAVIT_TEST_DRIVER"

// drive creates containers and prints, before and after each, what it does.
func drive(dir string) {
	env := executor.Environment{HostID: dir, Backend: "process", StateDir: filepath.Join(dir, "state"), RunDir: filepath.Join(dir, "run")}
	b, err := process.Open(context.Background(), env, deafHost{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	note, err := os.OpenFile(filepath.Join(dir, "io", "notes"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	from, _ := strconv.Atoi(os.Getenv(envDriver + "_FROM"))
	for n := from; ; n++ {
		fmt.Fprintln(note, "creating", n)
		if _, err := b.Create(context.Background(), driven(dir, n)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Fprintln(note, "created", n)
	}
}

// TestExecutorKilledAtAnyMoment: when an executor is killed, nothing is lost. The
// next one knows what it created, with its exit, and nothing is started twice.
func TestExecutorKilledAtAnyMoment(t *testing.T) {
	f := newFixture(t, "{}")
	begin := time.Now()
	f.run(first("sample"), command("exit 0"))
	took := time.Since(begin)
	next := 0
	for range 12 {
		f.crash(func() { next = f.killDriver(next, took) })
		list, err := f.b.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, st := range list {
			if _, err := f.b.Restore(t.Context(), st.Ref, executor.Stdio{}); err != nil && executor.CodeOf(err) != executor.NotFound {
				t.Errorf("restore %s: %v", st.Ref, err)
			}
		}
	}
	notes, err := os.ReadFile(f.path("io", "notes"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range next {
		// A second create reports it, or completes what was cut off.
		w := driven(filepath.Dir(f.env.StateDir), n)
		if _, err := f.b.Create(t.Context(), w); err != nil {
			t.Errorf("create %d: %v", n, err)
			continue
		}
		exit, out := f.wait(w.Ref)
		if exit.Code == nil || *exit.Code != n%200 || out != executor.Complete {
			t.Errorf("%d: exit %+v, %s", n, exit, out)
		}
		if got := f.streams.Output(w.Ref, "out"); got != "start\nend\n" {
			t.Errorf("%d: output %q", n, got)
		}
	}
	created := strings.Count(string(notes), "created")
	t.Logf("%d containers, %d cut off", next, next-created)
	if created == 0 {
		t.Error("the driver has created nothing")
	}
}

// killDriver runs a driver that creates containers from a number on, kills it, and
// returns the number of the container after its last. took is about how long it takes
// to create one.
func (f *fixture) killDriver(from int, took time.Duration) int {
	f.t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), envDriver+"="+filepath.Dir(f.env.StateDir), fmt.Sprintf("%s_FROM=%d", envDriver, from))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	last := func() int {
		b, _ := os.ReadFile(f.path("io", "notes"))
		n := from - 1
		if lines := strings.Fields(string(b)); len(lines) > 0 {
			n, _ = strconv.Atoi(lines[len(lines)-1])
		}
		return n
	}
	enough := from + rand.IntN(3)
	wait.Until(f.t, "the driver has made enough containers", func() bool { return last() >= enough || stderr.Len() > 0 })
	time.Sleep(time.Duration(rand.Int64N(int64(2 * took))))
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if stderr.Len() > 0 {
		f.t.Errorf("driver: %s", &stderr)
	}
	return last() + 1
}

// TestJobLost removes what is recorded of a job while its workload runs.
func TestJobLost(t *testing.T) {
	f := newFixture(t, "{}")
	ref := first("lost")
	st := f.run(ref, command("echo ready; sleep 300"))
	f.streams.WaitOutput(ref, "out", "ready")
	job := f.path("state", "containers", ref.ID, "job.json")
	text, err := os.ReadFile(job)
	if err != nil {
		t.Fatal(err)
	}
	f.crash(func() {
		if err := os.Remove(job); err != nil {
			t.Fatal(err)
		}
	})
	if !alive(st.PID) {
		t.Fatal("it was killed for want of a record")
	}
	if _, err := f.b.Create(t.Context(), f.workload(ref, command("true"))); executor.CodeOf(err) != executor.AlreadyExists || !alive(st.PID) {
		t.Errorf("create of the same id: got %v, alive %t", err, alive(st.PID))
	}
	if err := os.WriteFile(job, text, 0o600); err != nil { // so that it can be removed
		t.Fatal(err)
	}
}
