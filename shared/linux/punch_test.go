package linux

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPunchFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	const size = 20 * 4096
	if err := os.WriteFile(path, bytes.Repeat([]byte{'x'}, size), 0o600); err != nil {
		t.Fatal(err)
	}
	if low, err := PunchFile(path, 100); low != 0 || err != nil {
		t.Errorf("less than a block: got %d, %v", low, err)
	}
	low, err := PunchFile(path, 10*4096+5)
	if errors.Is(err, unix.EOPNOTSUPP) {
		t.Skip(err)
	}
	if err != nil || low > 10*4096 || low%4096 != 0 || low == 0 {
		t.Fatalf("got %d, %v", low, err)
	}
	b, err := os.ReadFile(path)
	if err != nil || len(b) != size || bytes.Count(b, []byte{'x'}) != int(size-low) || b[low] != 'x' {
		t.Errorf("the file has %d bytes of %d, %d of them kept of %d, %v", len(b), size, bytes.Count(b, []byte{'x'}), size-low, err)
	}
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := PunchFile(link, 4096); err == nil {
		t.Error("a link was followed")
	}
}
