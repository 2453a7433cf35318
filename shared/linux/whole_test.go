package linux

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestWriteWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "exit.json")
	for _, content := range []string{"", "long: " + strings.Repeat("x", 2*reserved), "short"} {
		for _, reserve := range []bool{true, false} {
			if reserve {
				if err := Reserve(path); err != nil {
					t.Fatal(err)
				}
				var st syscall.Stat_t
				if err := syscall.Stat(draft(path), &st); err != nil || st.Blocks*512 < reserved {
					t.Errorf("%d bytes are reserved, %v", st.Blocks*512, err)
				}
			}
			if err := WriteWhole(path, []byte(content)); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != content {
				t.Errorf("got %q, %v, want %q", got, err, content)
			}
			if _, err := os.Lstat(draft(path)); !os.IsNotExist(err) {
				t.Errorf("the draft is left, %v", err)
			}
		}
	}
	// What a write that failed half-way has left is no part of the next one.
	if err := os.WriteFile(draft(path), []byte("torn and long"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteWhole(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "new" {
		t.Errorf("got %q, %v", got, err)
	}
}
