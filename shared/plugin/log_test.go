package plugin

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLogIsBounded checks that an executor without a host does not fill the disk, and
// says what it dropped.
func TestLogIsBounded(t *testing.T) {
	file, err := os.OpenFile(filepath.Join(t.TempDir(), "log"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	log := &boundedLog{file: file}
	line := append(bytes.Repeat([]byte("x"), 1<<20), '\n')
	for range 3 * maxLog / len(line) {
		if n, err := log.Write(line); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	if info, err := file.Stat(); err != nil || info.Size() > maxLog+int64(2*len(line)) {
		t.Errorf("got %d bytes, %v; want some %d", info.Size(), err, maxLog)
	}
	// A host has taken it.
	if err := file.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if _, err := log.Write([]byte("again\n")); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file.Name())
	if text := string(got); err != nil || !strings.HasSuffix(text, " lines of the log were dropped: nobody took it\nagain\n") {
		t.Errorf("got %q, %v", text, err)
	}
}
