package nearest

import (
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for _, tt := range []struct{ written, names, want string }{
		{"crunn", "crun runc", "crun"},
		{"rnuc", "crun runc", "runc"},
		{"run-dri", "state_dir run_dir", "run_dir"},
		{"SHA-256", "sha256 user", "sha256"},
		{"io.containerd.runc.v3", "io.containerd.runc.v1 io.containerd.runc.v2", "io.containerd.runc.v1 io.containerd.runc.v2"},
		{"io.containerd.kata.v2", "io.containerd.runc.v2", ""}, // another shim, however long the rest
		{"sp", "ps rm", "ps"},
		{"psx", "ps rm", "ps"},
		{"xxx", "ps rm", ""},
		{"bb", "b", ""},
		{"colour", "cgroup", ""},
		{"stat", "start stats stop", "start stats"},
		{"", "a ab abc", ""},
		{"größe", "größen grosse", "größen"},
		{"any", "", ""},
	} {
		if got := strings.Join(Names(tt.written, strings.Fields(tt.names)), " "); got != tt.want {
			t.Errorf("%q among %q: got %q, want %q", tt.written, tt.names, got, tt.want)
		}
	}
	if got := Name("io.containerd.runc.v3", []string{"io.containerd.runc.v1", "io.containerd.runc.v2"}); got != "io.containerd.runc.v2" {
		t.Errorf("the last of those that are as near: got %q", got)
	}
	if got := Name("x", nil); got != "" {
		t.Errorf("among none: got %q", got)
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abcd", "badc", 2}, {"kitten", "sitting", 3}, {"ca", "abc", 3},
	} {
		for _, p := range [][2]string{{tt.a, tt.b}, {tt.b, tt.a}} {
			if got := distance([]rune(p[0]), []rune(p[1])); got != tt.want {
				t.Errorf("%q and %q: got %d, want %d", p[0], p[1], got, tt.want)
			}
		}
	}
}
