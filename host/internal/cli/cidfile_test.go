package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCidfile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "id")
	for _, id := range []string{"", "c1"} {
		f, err := newCidfile(path)
		if err != nil {
			t.Fatal(err)
		}
		if id != "" {
			if err := f.write(id); err != nil {
				t.Fatal(err)
			}
		}
		f.close()
		got, err := os.ReadFile(path)
		if string(got) != id || (err != nil) != (id == "") {
			t.Errorf("the file of container %q has %q, %v", id, got, err)
		}
	}
	if _, err := newCidfile(path); !errors.Is(err, fs.ErrExist) && (err == nil || !strings.Contains(err.Error(), path)) {
		t.Errorf("a file that exists: got %v", err)
	}
	none, err := newCidfile("")
	if err != nil || none.write("c1") != nil {
		t.Errorf("without a path: %v", err)
	}
}
