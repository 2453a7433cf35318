package host

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

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

// track begins to index the output of the present attempt, and to cap it.
func (h *Host) track(c *store.Container) error {
	limit := c.Stdio.MaxBytes
	switch limit {
	case 0:
		limit = h.maxBytes
	case -1:
		limit = 0
	}
	return h.tracker.Add(c.Ref(), h.output.Files(c.Ref(), c.Stdio.Merged), limit)
}

// outputNotice logs what happens to output on disk.
func (h *Host) outputNotice(n output.Notice) {
	if n.Err != nil {
		h.logger.Error("output could not be capped", "container", n.Ref.ID, "attempt", n.Ref.Attempt, "stream", n.Stream.String(), "error", n.Err)
		return
	}
	h.logger.Warn("oldest output was dropped to keep its limit", "container", n.Ref.ID, "attempt", n.Ref.Attempt, "stream", n.Stream.String(), "bytes", n.Dropped)
}

// Sink takes output as it comes. data is valid during the call alone. An error
// ends the reading.
type Sink func(s Stream, data []byte) error

// LogOptions say which output is wanted.
type LogOptions struct {
	// Follow goes on until the container has ended.
	Follow bool
	// Tail begins that many lines before the end; below 0 is from the beginning.
	Tail int
	// Stdout and Stderr choose streams; neither means both.
	Stdout, Stderr bool
	// Since and Until leave out what was written before and after a time, as far
	// as it is known: to about a second. Zero is no bound.
	Since, Until time.Time
	// Timestamps puts the time at which it was written before each line.
	Timestamps bool
	// Dropped, if not nil, is told of output that is not kept any more, before
	// what follows it goes to the sink.
	Dropped func(s Stream, bytes int64) error
}

// Logs gives the output of a container's present attempt to sink.
func (h *Host) Logs(ctx context.Context, reference string, opts LogOptions, sink Sink) error {
	record, err := h.record(reference)
	if err != nil {
		return err
	}
	read := output.ReadOptions{
		OmitStdout: opts.Stderr && !opts.Stdout, OmitStderr: opts.Stdout && !opts.Stderr,
		Since: opts.Since, Until: opts.Until,
	}
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
	return h.read(ctx, record, read, opts, sink)
}

func (h *Host) read(ctx context.Context, record *store.Container, read output.ReadOptions, opts LogOptions, sink Sink) error {
	reader, err := output.NewReader(h.watcher, h.output.Files(record.Ref(), record.Stdio.Merged), read)
	if errors.Is(err, executor.NotFound) && record.State == store.Failed {
		return nil
	}
	if err != nil {
		return err
	}
	defer reader.Close()
	stamps := map[Stream]*stamper{Stdout: {}, Stderr: {}}
	for {
		chunk, err := reader.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if chunk.Dropped > 0 && opts.Dropped != nil {
			if err := opts.Dropped(chunk.Stream, chunk.Dropped); err != nil {
				return err
			}
		}
		data := chunk.Data
		if opts.Timestamps {
			data = stamps[chunk.Stream].stamp(data, chunk.Time)
		}
		if err := sink(chunk.Stream, data); err != nil {
			return err
		}
	}
}

// stamper puts a time before each line of a stream that comes in pieces.
type stamper struct {
	within bool // the last piece ended within a line
	buf    []byte
}

func (s *stamper) stamp(data []byte, at time.Time) []byte {
	s.buf = s.buf[:0]
	for line := range bytes.Lines(data) {
		if !s.within {
			s.buf = at.UTC().AppendFormat(s.buf, stampFormat)
		}
		s.buf = append(s.buf, line...)
		s.within = line[len(line)-1] != '\n'
	}
	return s.buf
}

// stampFormat is RFC 3339 with all digits of a nanosecond, as Docker writes it,
// so that lines sort.
const stampFormat = "2006-01-02T15:04:05.000000000Z07:00 "

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
