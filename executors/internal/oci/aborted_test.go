package oci

import (
	"os"
	"path/filepath"
	"testing"
)

func TestResetKeepsWhatWasThereBefore(t *testing.T) {
	for _, c := range []struct{ name, before, after, want string }{
		{"words of init's", "before\n", "before\nEOF\n", "before\n"},
		{"into an empty file", "", "EOF\n", ""},
		{"none", "before\n", "before\n", "before\n"},
		{"less than before", "before\n", "be", "be"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "stderr")
			write := func(text string) {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write(c.before)
			e := NewInitErrors("", path)
			write(c.after)
			if err := e.Reset(); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := e.Reset(); err != nil {
				t.Errorf("without the file: %v", err)
			}
		})
	}
	if err := (InitErrors{}).Reset(); err != nil {
		t.Errorf("without a file: %v", err)
	}
}
