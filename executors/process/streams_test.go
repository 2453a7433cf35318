package process_test

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/notes"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestOutputCannotBeDamaged: whatever a process does with its streams, all that it wrote
// is in the log.
func TestOutputCannotBeDamaged(t *testing.T) {
	for name, tt := range map[string]struct {
		script         string
		stdout, stderr string
	}{
		"opened to write":  {"echo 1; echo 2; echo 3 >/dev/stdout; echo 4; echo e >/dev/stderr", "1\n2\n3\n4\n", "e\n"},
		"emptied":          {"echo 1; : >/dev/stdout; : >/proc/self/fd/2; echo 2", "1\n2\n", ""},
		"by a child":       {"echo 1 >&2; echo 2 | tee /dev/stderr; echo 3 >&2", "2\n", "1\n2\n3\n"},
		"cut":              {"echo 1; truncate -s 0 /dev/stdout 2>/dev/null; truncate -s 8T /proc/self/fd/1 2>/dev/null; echo 2", "1\n2\n", ""},
		"written in place": {"echo 1; printf 9 | dd of=/dev/stdout bs=1 conv=notrunc 2>/dev/null; echo 2", "1\n92\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, uid := range []uint32{0, 1234} {
				f := newFixture(t, "")
				ref, spec := first("web"), command(tt.script)
				spec.Process.User = specs.User{UID: uid, GID: uid}
				if uid != 0 && os.Geteuid() != 0 {
					t.Skip("needs root")
				}
				f.run(ref, spec)
				exit, out := f.wait(ref)
				stdout, stderr := f.streams.Output(ref, "out"), f.streams.Output(ref, "err")
				if *exit.Code != 0 || out != executor.Complete || stdout != tt.stdout || stderr != tt.stderr {
					t.Errorf("as %d: exit %+v, output %s, %q and %q", uid, exit, out, stdout, stderr)
				}
			}
		})
	}
}

// TestLimitWithoutExecutor: the monitor keeps the limit of a log, and notes when its
// output came.
func TestLimitWithoutExecutor(t *testing.T) {
	f := newFixture(t, "")
	ref := first("chatty")
	w := f.workload(ref, command("head -c 20000000 /dev/zero | tr '\\0' x; echo end"))
	w.Stdio.Stdout.Max = 1 << 20
	w.Stdio.Stdout.Index = w.Stdio.Stdout.Path + ".index"
	if err := os.WriteFile(w.Stdio.Stdout.Index, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.b.Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	f.wait(ref)
	text := f.streams.Output(ref, "out")
	if zeros := strings.Count(text, "\x00"); len(text) != 20000004 || len(text)-zeros > 1<<20 || !strings.HasSuffix(text, "xend\n") {
		t.Errorf("%d bytes, of which %d are kept", len(text), len(text)-zeros)
	}
	index, err := os.ReadFile(w.Stdio.Stdout.Index)
	if err != nil || len(index) < notes.Size {
		t.Fatalf("an index of %d bytes, %v", len(index), err)
	}
	if last, ok := notes.Parse(index[len(index)-notes.Size:]); !ok || last.Sampled || last.Offset != int64(len(text)) {
		t.Errorf("the last note is %+v, at %d", last, binary.BigEndian.Uint64(index[len(index)-notes.Size:]))
	}
}
