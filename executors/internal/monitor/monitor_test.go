package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path"
	"strings"
	gosync "sync"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

func script(text string) Job {
	return Job{Name: "test/1", Note: json.RawMessage(`"note"`), Path: "/bin/sh", Args: []string{"sh", "-c", text}, Env: []string{"PATH=/usr/bin:/bin"}}
}

// place returns a directory for a job, and checks that nothing of the job is left at
// the end.
func place(t *testing.T) string {
	t.Helper()
	dir := path.Join(t.TempDir(), "w")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Kill(context.Background(), dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// start starts a job in a directory of its own.
func start(t *testing.T, job Job) (dir string, st Status) {
	t.Helper()
	dir = place(t)
	st, err := Start(t.Context(), dir, job)
	if err != nil {
		t.Fatal(err)
	}
	return dir, st
}

func mustWait(t *testing.T, dir string) Status {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	st, err := Wait(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestLife(t *testing.T) {
	dir, st := start(t, script("exec sleep 300"))
	if st.Phase != Running || st.PID == 0 || st.StartedAt.IsZero() || string(st.Note) != `"note"` {
		t.Errorf("start: got %+v", st)
	}
	looked, err := Look(dir)
	if err != nil || looked.Phase != Running || looked.PID != st.PID || !looked.StartedAt.Equal(st.StartedAt) || string(looked.Note) != `"note"` {
		t.Errorf("look: got %+v, %v; want %+v", looked, err, st)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := Wait(ctx, dir); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait for one that runs: got %v", err)
	}
	if err := Signal(dir, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	st = mustWait(t, dir)
	if st.Phase != Ended || *st.Exit.Code != 137 || st.Exit.Signal != syscall.SIGKILL || !st.Complete {
		t.Errorf("wait: got %+v, exit %+v", st, st.Exit)
	}
	if err := Signal(dir, syscall.SIGTERM); executor.CodeOf(err) != executor.FailedPrecondition {
		t.Errorf("signal after the end: got %v", err)
	}
	if err := Remove(dir); err != nil {
		t.Error(err)
	}
	if _, err := Look(dir); executor.CodeOf(err) != executor.NotFound {
		t.Errorf("look after removal: got %v", err)
	}
}

func TestStartFails(t *testing.T) {
	job := script("")
	job.Path = "/nope"
	dir := t.TempDir()
	_, err := Start(t.Context(), dir, job)
	if executor.CodeOf(err) != executor.CommandNotFound || !strings.Contains(err.Error(), "exec /nope") {
		t.Errorf("got %v", err)
	}
	if st, err := Look(dir); err != nil || st.Phase != NeverRan {
		t.Errorf("look: got %+v, %v", st, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir = t.TempDir()
	if _, err := Start(ctx, dir, script("sleep 300")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	if live, err := locked(dir); live || err != nil {
		t.Errorf("after a cancelled start: locked %t, %v", live, err)
	}
}

// TestStartCancelledAtAnyMoment: a cancelled start has begun nothing, or is not
// undone. Otherwise a repeated call would run it twice.
func TestStartCancelledAtAnyMoment(t *testing.T) {
	kept := 0
	for i := range 40 {
		dir := place(t)
		ctx, cancel := context.WithCancel(t.Context())
		var cancelling gosync.WaitGroup
		cancelling.Go(func() { // when that file comes
			file := path.Join(dir, []string{jobFile, logFile, claimFile, startedFile}[i%4])
			for ctx.Err() == nil {
				if _, err := os.Stat(file); err == nil {
					cancel()
				}
			}
		})
		_, err := Start(ctx, dir, script("exit 3"))
		cancel()
		cancelling.Wait()
		switch st, lerr := Look(dir); {
		case lerr != nil:
			t.Error(lerr)
		case err == nil:
			kept++
			if st = mustWait(t, dir); st.Phase != Ended || *st.Exit.Code != 3 {
				t.Errorf("start: no error; wait: got %+v, exit %+v", st, st.Exit)
			}
		case st.Phase != NeverRan || !errors.Is(err, context.Canceled):
			t.Errorf("start: got %v; look: got %+v, exit %+v", err, st, st.Exit)
		}
	}
	t.Logf("%d of 40 were not cancelled any more", kept)
}

// TestBigJob starts a job that does not fit into a pipe.
func TestBigJob(t *testing.T) {
	job := script(`[ ${#A} = 100000 ] && [ ${#B} = 100000 ]`)
	job.Env = append(job.Env, "A="+strings.Repeat("a", 100000), "B="+strings.Repeat("b", 100000))
	dir, _ := start(t, job)
	if st := mustWait(t, dir); *st.Exit.Code != 0 {
		t.Errorf("got %+v", st.Exit)
	}
}

// TestForeignProcess: a process that has the pid of an earlier one is not taken for
// it.
func TestForeignProcess(t *testing.T) {
	other := exec.Command("/bin/sleep", "300")
	other.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = other.Process.Kill(), other.Wait() }()

	dir := t.TempDir()
	then := process{PID: other.Process.Pid, Start: 1}
	for file, v := range map[string]any{
		jobFile:     kept{Boot: bootID()},
		startedFile: started{At: time.Now(), Monitor: then, Workload: then},
	} {
		if err := write(dir, file, v); err != nil {
			t.Fatal(err)
		}
	}
	if st := mustWait(t, dir); st.Exit == nil || st.Exit.Source != executor.Lost {
		t.Errorf("wait: got %+v", st)
	}
	if err := Signal(dir, syscall.SIGKILL); executor.CodeOf(err) != executor.FailedPrecondition {
		t.Errorf("signal: got %v", err)
	}
	if err := Kill(t.Context(), dir); err != nil {
		t.Error(err)
	}
	if s, err := linux.StatOf(other.Process.Pid); err != nil || s.State == 'Z' {
		t.Errorf("the other process has ended: %+v, %v", s, err)
	}
}

// TestPowerFailure: a power failure may leave files without content.
func TestPowerFailure(t *testing.T) {
	for _, file := range []string{jobFile, startedFile, exitFile} {
		t.Run(file, func(t *testing.T) {
			dir := t.TempDir()
			for name, v := range map[string]any{
				jobFile: kept{Boot: "before"}, startedFile: started{At: time.Now()}, exitFile: executor.LostExit("x"),
			} {
				if err := write(dir, name, v); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Truncate(path.Join(dir, file), 0); err != nil {
				t.Fatal(err)
			}
			st, err := Look(dir)
			if file == jobFile {
				if executor.CodeOf(err) != executor.NotFound {
					t.Errorf("got %+v, %v", st, err)
				}
			} else if err != nil || st.Phase != Ended || file == exitFile && st.Exit.Reason != "the machine was rebooted" {
				t.Errorf("got %+v, %v", st, err)
			}
		})
	}
}

// TestFullDisk: an exit has its room on the disk.
func TestFullDisk(t *testing.T) {
	dir, free := fullDisk(t, func(string) {})
	if st := mustWait(t, dir); *st.Exit.Code != 137 || !st.Complete {
		t.Errorf("got %+v", st.Exit)
	}
	free()
}

// TestFullDiskWithoutReserve: an exit survives while the disk has no room for it.
func TestFullDiskWithoutReserve(t *testing.T) {
	dir, free := fullDisk(t, func(dir string) {
		for _, file := range []string{exitFile, goneFile} {
			if err := os.Remove(path.Join(dir, file+"~")); err != nil {
				t.Fatal(err)
			}
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if st, err := Wait(ctx, dir); err == nil {
		t.Errorf("wait while the disk is full: got %+v", st)
	}
	free()
	if st := mustWait(t, dir); *st.Exit.Code != 137 || !st.Complete {
		t.Errorf("got %+v", st.Exit)
	}
}

// fullDisk starts a workload on a disk of its own, fills that after prepare, and ends the
// workload. free makes room.
func fullDisk(t *testing.T, prepare func(dir string)) (dir string, free func()) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("mount: %v", err)
	}
	dir = path.Join(disk, "w")
	t.Cleanup(func() {
		if err := Kill(context.WithoutCancel(t.Context()), dir); err != nil {
			t.Error(err)
		}
		// A monitor that has released the lock may be about to sync.
		var err error
		if !wait.Holds(func() bool { err = unix.Unmount(disk, 0); return err == nil }) {
			t.Error(err)
		}
	})
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	st, err := Start(t.Context(), dir, script("exec sleep 300"))
	if err != nil {
		t.Fatal(err)
	}
	prepare(dir)
	filler := path.Join(disk, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("fill the disk: got %v", err)
	}
	if err := syscall.Kill(st.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	return dir, func() {
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	}
}
