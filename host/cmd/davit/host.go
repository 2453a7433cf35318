package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

const (
	hostProgram = "davit-host"
	// libexecDir is where executors are installed, too.
	libexecDir = "/usr/libexec/davit"
)

// becomeHost executes davit-host in this process, with the same arguments. Pid, streams
// and parent stay the same, so that signals and exit codes are davit-host's.
func becomeHost() error {
	for _, path := range hostPaths() {
		err := syscall.Exec(path, os.Args, os.Environ())
		if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s cannot be run: %w", path, err)
		}
	}
	return fmt.Errorf("it may be one of %s, which is not installed: it is looked for beside davit, in ../libexec/davit from there, on the PATH and in %s", hostProgram, libexecDir)
}

// hostPaths returns the paths where davit-host may be. Those beside davit, and where `make
// install` puts it, come first, since they were installed with it.
func hostPaths() (paths []string) {
	if self, err := os.Executable(); err == nil {
		dir := filepath.Dir(self)
		paths = append(paths, filepath.Join(dir, hostProgram), filepath.Join(dir, "../libexec/davit", hostProgram))
	}
	if path, err := exec.LookPath(hostProgram); err == nil {
		paths = append(paths, path)
	}
	return append(paths, filepath.Join(libexecDir, hostProgram))
}
