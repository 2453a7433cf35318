package monitor

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openFiles opens the descriptors of the workload, from 0 on.
func (w *workload) openFiles(job Job) (files []*os.File, err error) {
	add := func(f *os.File, err error) error {
		if err == nil {
			files = append(files, f)
		}
		return err
	}
	if job.Terminal != nil {
		var tty *os.File
		if w.console, tty, err = openConsole(job); err != nil {
			return nil, fmt.Errorf("make terminal: %w", err)
		}
		files = []*os.File{tty, tty, tty}
	} else {
		if err := add(os.Open(os.DevNull)); err != nil {
			return files, err
		}
		if err := add(openOutput("stdout", job.Stdout)); err != nil {
			return files, err
		}
		if job.Stderr == job.Stdout {
			files = append(files, files[1]) // one description
		} else if err := add(openOutput("stderr", job.Stderr)); err != nil {
			return files, err
		}
	}
	return files, nil
}

// openOutput opens a file for output that must exist.
func openOutput(name, path string) (*os.File, error) {
	if path == "" {
		path = os.DevNull
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}
