package monitor

import (
	"os"
	"testing"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// TestExitOfAnEarlierJob records the exit of a process where another job has begun since.
func TestExitOfAnEarlierJob(t *testing.T) {
	const earlier, later = 1 << 22, 1<<22 + 1 // above all pids
	dir := place(t)
	for file, v := range map[string]any{
		jobFile:     kept{Boot: bootID(), Inline: true},
		startedFile: started{Monitor: process{PID: later}, Workload: process{PID: later}},
		signalFile:  unix.SIGKILL,
	} {
		if err := write(dir, file, v); err != nil {
			t.Fatal(err)
		}
	}
	recordExit(dir, earlier)
	if exit, ok, err := read[*executor.Exit](dir, exitFile); ok || err != nil {
		t.Errorf("the later job has the exit %+v, %v", exit, err)
	}
	recordExit(dir, later)
	if exit, ok, err := read[*executor.Exit](dir, exitFile); !ok || err != nil || exit.Signal != unix.SIGKILL {
		t.Errorf("its own exit: got %+v, %v", exit, err)
	}
}

// TestHeldDirectory replaces a directory while it is held.
func TestHeldDirectory(t *testing.T) {
	dir := place(t)
	held, release, err := hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := write(held, signalFile, unix.SIGKILL); err == nil {
		t.Error("a directory that is gone was written to")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("the later directory has %v, %v", entries, err)
	}
}
