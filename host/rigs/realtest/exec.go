package realtest

import (
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// Further returns a request for a shell script as a further process of an attempt.
func Further(t testing.TB, ref executor.Ref, id, script string) executor.Workload {
	t.Helper()
	ref.Exec = id
	spec, err := json.Marshal(map[string]any{"args": []string{"/bin/sh", "-c", script}, "cwd": "/", "env": []string{"PATH=/bin"}, "user": map[string]any{"uid": 0, "gid": 0}})
	if err != nil {
		t.Fatal(err)
	}
	return executor.Workload{Ref: ref, Spec: spec}
}

// LeaveBehind checks that further processes of a running attempt are released although
// others that they have started go on: what those write to files arrives, and a FIFO that
// is quiet is truncated.
func LeaveBehind(t testing.TB, b executor.Backend, host *Host, streams Streams, ref executor.Ref) {
	t.Helper()
	toFile := Further(t, ref, "file", "(sleep 4; echo late) & echo early; exit 3")
	toFile.Stdio.Stdout = streams.File(ref, "late")
	toFIFO := Further(t, ref, "fifo", "sleep 1000 & echo early; exit 3")
	fifo := streams.Path(ref, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	toFIFO.Stdio.Stdout = executor.Stream{Kind: executor.StreamFIFO, Path: fifo}
	reader, err := os.OpenFile(fifo, os.O_RDWR, 0) // a reader alone would be at the end at once
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	go func() {
		text := make([]byte, 100)
		n, _ := reader.Read(text)
		_ = reader.Close()
		got <- string(text[:n])
	}()
	for _, w := range []executor.Workload{toFile, toFIFO} {
		if _, err := b.Create(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	for ref, want := range map[executor.Ref]executor.Output{toFile.Ref: executor.Complete, toFIFO.Ref: executor.Truncated} {
		if exit, output := host.WaitReleased(t, ref); exit.Code == nil || *exit.Code != 3 || output != want {
			t.Errorf("%s: the exit is %+v, the output %s, want %s", ref, exit, output, want)
		}
	}
	if text := <-got; text != "early\n" {
		t.Errorf("the FIFO had %q", text)
	}
	wait.Until(t, "what was left behind has written", func() bool { return strings.HasSuffix(streams.Output(ref, "late"), "late\n") })
}
