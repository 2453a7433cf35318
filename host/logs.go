package host

import (
	"context"
	"errors"
	"io"

	"github.com/davit-run/davit/host/internal/output"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/stream"
	"github.com/davit-run/davit/shared/executor"
)

// Stream is one of a workload's output streams.
type Stream = stream.Stream

// The output streams. Merged output counts as stdout.
const (
	Stdout = stream.Stdout
	Stderr = stream.Stderr
)

// Sink takes output as it comes. data is valid during the call alone. An error
// ends the reading.
type Sink func(s Stream, data []byte) error

// LogOptions say which output is wanted.
type LogOptions struct {
	// Follow goes on until the container has ended.
	Follow bool
	// Tail begins that many lines before the end of each stream; below 0 is from
	// the beginning.
	Tail int
	// Stdout and Stderr choose streams; neither means both.
	Stdout, Stderr bool
}

// Logs gives the output of a container's present attempt to sink.
func (h *Host) Logs(ctx context.Context, reference string, opts LogOptions, sink Sink) error {
	record, err := h.record(reference)
	if err != nil {
		return err
	}
	read := output.ReadOptions{OmitStdout: opts.Stderr && !opts.Stdout, OmitStderr: opts.Stdout && !opts.Stderr}
	if opts.Tail >= 0 {
		read.Tail = &opts.Tail
	}
	if opts.Follow {
		e, leave := h.await(record.ID)
		defer leave()
		read.Done = e.done
		// Looked at after registering, so that no end falls between.
		if record, err = h.record(record.ID); err != nil {
			return err
		}
		if ended(record) {
			read.Done = nil
		}
	}
	return h.read(ctx, record, read, sink)
}

func (h *Host) read(ctx context.Context, record *store.Container, opts output.ReadOptions, sink Sink) error {
	reader, err := output.NewReader(h.watcher, h.output.Files(record.Ref(), record.Stdio.Merged), opts)
	if errors.Is(err, executor.NotFound) && record.State == store.Failed {
		return nil
	}
	if err != nil {
		return err
	}
	defer reader.Close()
	for {
		chunk, err := reader.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := sink(chunk.Stream, chunk.Data); err != nil {
			return err
		}
	}
}

// Run makes a container, gives its output to sink until it has ended, and gives
// its end. started, if not nil, is called once it runs. When ctx ends the
// container runs on. An automatic removal waits for Run to return.
func (h *Host) Run(ctx context.Context, opts ContainerOptions, started func(Container) error, sink Sink) (*End, error) {
	c, release, err := h.create(ctx, opts)
	if err != nil {
		return nil, err
	}
	defer release()
	if started != nil {
		if err := started(c); err != nil {
			return nil, err
		}
	}
	if sink != nil {
		if err := h.Logs(ctx, c.ID, LogOptions{Follow: true, Tail: -1}, sink); err != nil {
			return nil, err
		}
	}
	return h.Wait(ctx, c.ID)
}
