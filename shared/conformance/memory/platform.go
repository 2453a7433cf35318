package memory

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// platform is what runs workloads. It outlives backends, as a daemon or a
// kernel would. Each id has at most one attempt at a time.
type platform interface {
	// start runs a workload and returns when it runs. On an error nothing is left.
	start(ctx context.Context, env executor.Environment, l launch) (holder, error)
	// held gives what start made and nobody removed, running or not.
	held(env executor.Environment) ([]holder, error)
}

// holder holds one attempt, its exit included, until it is removed.
type holder interface {
	record() record
	// exit gives the end, or nil while the attempt runs. Source is not set
	// unless it is Lost.
	exit() *executor.Exit
	// wait returns when the attempt has ended or ctx has.
	wait(ctx context.Context) error
	// signal is an error of code FailedPrecondition if the attempt has ended.
	signal(ctx context.Context, sig executor.Signal) error
	// remove is called after the end.
	remove() error
}

// launch is what a platform is asked to run. Args are a program.
type launch struct {
	Ref     executor.Ref   `json:"ref"`
	Runtime string         `json:"runtime,omitempty"`
	Stdio   executor.Stdio `json:"stdio"`
	Args    []string       `json:"args"`
}

// record is what a platform knows of an attempt from its start.
type record struct {
	Ref       executor.Ref `json:"ref"`
	Runtime   string       `json:"runtime,omitempty"`
	PID       int          `json:"pid,omitempty"`
	StartedAt time.Time    `json:"started_at"`
}

// streams are the opened output of an attempt.
type streams struct {
	stdout, stderr io.Writer
	files          []*os.File
}

func openStreams(stdio executor.Stdio) (*streams, error) {
	if stdio.Stdin.Kind != executor.StreamNull {
		return nil, executor.Errorf(executor.Unsupported, "memory workloads read no input")
	}
	s := &streams{}
	var err error
	if s.stdout, err = s.open(stdio.Stdout); err == nil {
		s.stderr, err = s.open(stdio.Stderr)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *streams) open(stream executor.Stream) (io.Writer, error) {
	switch stream.Kind {
	case executor.StreamNull:
		return io.Discard, nil
	case executor.StreamFile:
		f, err := os.OpenFile(stream.Path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return nil, executor.Errorf(executor.Invalid, "output file: %w", err)
		}
		s.files = append(s.files, f)
		return f, nil
	}
	return nil, executor.Errorf(executor.Unsupported, "memory workloads write to files only, not to a %s", stream.Kind)
}

func (s *streams) close() {
	for _, f := range s.files {
		_ = f.Close()
	}
}
