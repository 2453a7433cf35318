package tree

import (
	"os"
	"path/filepath"
	"testing"
)

// TestSumDir changes a tree in each way that its sum has to show.
func TestSumDir(t *testing.T) {
	dir := t.TempDir()
	sums := map[string]string{}
	look := func(what string) {
		t.Helper()
		sum, err := SumDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := sums[sum]; ok {
			t.Errorf("%s: the same sum as %s", what, other)
		}
		sums[sum] = what
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	look("nothing")
	write("a", "x")
	look("a file")
	write("a", "y")
	look("another content")
	write("b", "")
	look("an empty file")
	if err := os.Rename(filepath.Join(dir, "b"), filepath.Join(dir, "c")); err != nil {
		t.Fatal(err)
	}
	look("another name")
	if sum, err := SumDir(filepath.Join(dir, "no")); err != nil || sums[sum] != "nothing" {
		t.Errorf("no directory: got %q, %v", sums[sum], err)
	}
}
