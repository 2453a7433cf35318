package cli

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	var b strings.Builder
	if err := PrintTable(&b, []string{"NAME", "STATUS"}, [][]string{{"é", "a\nb\x1b[31m"}, {"", "x"}}); err != nil {
		t.Fatal(err)
	}
	if want := "NAME   STATUS\né      a b [31m\n-      x\n"; b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

// TestWrapLast wraps what stands last in a table, where a terminal is narrow.
func TestWrapLast(t *testing.T) {
	header := []string{"NAME", "PROBLEM"}
	row := []string{"runc", "it is not installed; install it, or choose another runtime"}
	for _, tt := range []struct {
		name  string
		width int
		want  [][]string
	}{
		{"no terminal", 0, [][]string{header, row}},
		{"wide", 80, [][]string{header, row}},
		{"narrow", 40, [][]string{header, {"runc", "it is not installed; install it,"}, {"", "or choose another runtime"}}},
		{"hopeless", 20, [][]string{header, row}},
	} {
		got := wrapLast(tt.width, [][]string{header, row})
		if !slices.EqualFunc(got, tt.want, slices.Equal) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		if tt.width == 40 && tableWidth(header, got) > tt.width {
			t.Errorf("%s: %d columns", tt.name, tableWidth(header, got))
		}
	}
	if got, want := wrapText("a "+strings.Repeat("x", 25), 10), []string{"a", "xxxxxxxxxx", "xxxxxxxxxx", "xxxxx"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestTimes says in one way how long ago something was, and when it will be.
func TestTimes(t *testing.T) {
	now := time.Now()
	for back, want := range map[time.Duration]string{
		0: "0s ago", -time.Hour: "0s ago", 90 * time.Second: "1m ago", 47 * time.Hour: "47h ago", 49 * time.Hour: "2d ago", 800 * 24 * time.Hour: "2y ago",
	} {
		if got := ago(now.Add(-back), now); got != want {
			t.Errorf("%s: got %q, want %q", back, got, want)
		}
	}
	if got := ago(time.Time{}, now) + agoInWords(time.Time{}, now); got != "" {
		t.Errorf("an unknown time is %q", got)
	}
	for ahead, want := range map[time.Duration]string{-time.Second: "now", 900 * time.Millisecond: "now", 20 * time.Second: "in 20s"} {
		if got := in(now.Add(ahead), now); got != want {
			t.Errorf("%s: got %q, want %q", ahead, got, want)
		}
	}
}

// TestHelpFits: at a terminal of 80 columns no line of help is wrapped by the terminal, unless
// it is one to copy, or a usage.
func TestHelpFits(t *testing.T) {
	var visit func(path []string)
	visit = func(path []string) {
		var out strings.Builder
		a := &App{Stdout: &out, Stderr: &out, Env: func(string) (string, bool) { return "", false }}
		if code := a.Main(t.Context(), append(slices.Clone(path), "--help")); code != 0 {
			t.Fatalf("%q --help: code %d\n%s", path, code, &out)
		}
		for line := range strings.Lines(out.String()) {
			if line = strings.TrimRight(line, "\n"); len([]rune(line)) > 80 && !strings.HasPrefix(line, "  davit ") {
				t.Errorf("%q --help has a line of %d columns: %s", path, len([]rune(line)), line)
			}
		}
		cmd, _, _ := a.Root().Find(path)
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() && c.Name() != "completion" {
				visit(append(slices.Clone(path), c.Name()))
			}
		}
	}
	visit(nil)
	if got, want := wrapParagraphs("one two\nthree\n\n  as it\n  is\n\nfour", 9), "one two\nthree\n\n  as it\n  is\n\nfour"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
