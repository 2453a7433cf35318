package storm

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/storm/internal/line"
)

// The short storm, with some of each kind of kill in each phase. `make storm` runs
// the whole one.
func TestStorm(t *testing.T) {
	opts, out := options(t)
	var err error
	if opts.programs, err = newPrograms(opts.Module); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := opts.programs.remove(); err != nil {
			t.Error(err)
		}
	}()
	seen := newReport(out)
	err = opts.run(t.Context(), row{name: "short", do: kills(map[string]int{killsHost: 6, killsExecutor: 6, killsContainerd: 3, killsHostExec: 3}, false)}, seen)
	seen.print()
	if err != nil || seen.failed() > 0 {
		t.Errorf("%d violations, error %v; the storm's log:\n%s", seen.failed(), err, out)
	}
}

// Each deliberate bug must be noticed as the violation of its invariant.
func TestBugsAreNoticed(t *testing.T) {
	if os.Getenv("DAVIT_STORM") == "" {
		t.Skip("set DAVIT_STORM=1: it takes minutes")
	}
	opts, out := options(t)
	opts.Row = "bugs"
	if err := Run(t.Context(), opts); err != nil {
		t.Errorf("%v; the storm's log:\n%s", err, out)
	}
}

// options are those of a short storm on real containerds.
func options(t *testing.T) (Options, *bytes.Buffer) {
	complain := t.Skipf
	if os.Getenv("DAVIT_REQUIRE_REAL") == "1" {
		complain = t.Fatalf
	}
	if os.Geteuid() != 0 {
		complain("needs root")
	}
	found, _ := filepath.Glob("../../../.build/deps/containerd-2.*/bin/containerd")
	if len(found) == 0 {
		complain("needs a containerd 2: run `make deps`")
	}
	newest, err := filepath.Abs(found[0])
	if err != nil {
		t.Fatal(err)
	}
	debian := "/usr/bin/containerd"
	for _, program := range []string{debian, newest, "runc"} {
		if _, err := exec.LookPath(program); err != nil {
			complain("needs %s: run `make setup`", program)
		}
	}
	var out bytes.Buffer
	return Options{
		Binaries: Binaries{Module: "../../..", Debian: debian, Newest: newest},
		Seed:     uint64(time.Now().UnixNano()), Duration: 5 * time.Minute, Parallel: 8, Verbose: true, Out: &lockedWriter{w: &out},
	}, &out
}

func TestReadCountsWhatIsWrong(t *testing.T) {
	tests := []struct {
		name, text                   string
		last, missing, torn, doubled uint64
	}{
		{name: "all", text: text(1, 2, 3), last: 3},
		{name: "one lost", text: text(1, 3), last: 3, missing: 1},
		{name: "one twice", text: text(1, 2, 2, 3), last: 3, doubled: 1},
		{name: "out of order", text: text(2, 1), last: 2, missing: 1, doubled: 1},
		{name: "one without its end", text: text(1) + text(2)[:9], last: 1, torn: 1},
		{name: "one changed", text: text(1) + "o00000002 x 00000000\n" + text(3), last: 3, missing: 1, torn: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := read(bytes.NewBufferString(tt.text), 'o')
			if err != nil {
				t.Fatal(err)
			}
			want := tally{last: tt.last, missing: tt.missing, torn: tt.torn, doubled: tt.doubled}
			if got.first, got.instead = 0, ""; got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// What davit says itself stands between the lines of a stream.
func TestReadPassesOverWhatDavitSays(t *testing.T) {
	said := "davit: the host is gone, waiting for it to come back: why\n"
	got, err := read(withoutLines(strings.NewReader(said+text(1, 2)+said+text(3)+text(4)[:9]), "davit: "), 'o')
	if err != nil || got.last != 3 || got.torn != 1 || got.missing+got.doubled != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func text(numbers ...uint64) string {
	var b []byte
	for _, n := range numbers {
		b = line.Append(b, 'o', n)
	}
	return string(b)
}

func TestPlanSpreadsFaultsOverPhases(t *testing.T) {
	p := newPlan(1, map[string]int{killsHost: 20, killsContainerd: 6})
	if got := p.open(); got != 26 {
		t.Fatalf("got %d faults, want 26", got)
	}
	noDaemon := func(kind string) bool { return kind == killsHost }
	for _, phase := range phases {
		taken := 0
		for {
			kind, _, ok := p.take(phase, noDaemon)
			if !ok {
				break
			}
			if taken++; kind != killsHost {
				t.Errorf("got %s, want what suits", kind)
			}
		}
		if taken < 3 || taken > 4 {
			t.Errorf("phase %s: got %d of 20, want 3 or 4", phase, taken)
		}
	}
	if got := p.open(); got != 6 {
		t.Errorf("got %d faults left, want 6", got)
	}
}
