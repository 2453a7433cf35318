package linux

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

// TestWriteProgram writes programs and executes them while others are started.
func TestWriteProgram(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 50 {
				path := filepath.Join(dir, strconv.Itoa(worker)+"-"+strconv.Itoa(i))
				if err := WriteProgram(path, []byte("#!/bin/sh\nexit 0\n"), 0o700); err != nil {
					t.Error(err)
					return
				}
				if err := exec.Command(path).Run(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
