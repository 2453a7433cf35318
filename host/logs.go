package host

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
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
	return h.tracker.Add(c.Ref(), h.output.Files(c.Ref(), c.Stdio.Merged), h.outputMax(c))
}

// outputMax gives how much is kept of a stream, 0 if that is not limited.
func (h *Host) outputMax(c *store.Container) int64 {
	switch c.Stdio.MaxBytes {
	case 0:
		return h.maxBytes
	case -1:
		return 0
	}
	return c.Stdio.MaxBytes
}

// outputNotice logs what happens to output on disk.
func (h *Host) outputNotice(n output.Notice) {
	if n.Lost != (executor.Loss{}) {
		h.logger.Error("output is lost: it could not be written; see to the room on its disk", "container", n.Ref.ID, "attempt", n.Ref.Attempt, "stream", n.Stream.String(), "gaps", n.Lost.Gaps, "bytes", n.Lost.Bytes)
		h.background(func() { h.recordLoss(n) })
		return
	}
	if n.Err != nil {
		h.logger.Error("output could not be capped", "container", n.Ref.ID, "attempt", n.Ref.Attempt, "stream", n.Stream.String(), "error", n.Err)
		return
	}
	h.logger.Warn("oldest output was dropped to keep its limit", "container", n.Ref.ID, "attempt", n.Ref.Attempt, "stream", n.Stream.String(), "bytes", n.Dropped)
}

// recordLoss puts what is missing of an output into the container's record, and
// an event for each gap into the journal.
func (h *Host) recordLoss(n output.Notice) {
	err := h.store.Update(h.ctx, func(tx *store.Tx) error {
		c, err := tx.Container(n.Ref.ID)
		if err != nil || c.Attempt != n.Ref.Attempt {
			return err
		}
		return putLoss(tx, c, n.Stream, n.Lost)
	})
	if err != nil && h.ctx.Err() == nil && !errors.Is(err, executor.NotFound) {
		h.logger.Warn("the loss of output is not recorded", "container", n.Ref.ID, "error", err)
	}
}

// putLoss records the loss of a stream of the present attempt of c.
func putLoss(tx *store.Tx, c *store.Container, s Stream, loss executor.Loss) error {
	known := c.Lost[s.String()]
	if loss == known {
		return nil
	}
	if c.Lost == nil {
		c.Lost = map[string]executor.Loss{}
	}
	c.Lost[s.String()] = loss
	if err := tx.PutContainer(c); err != nil || loss.Gaps == known.Gaps {
		return err
	}
	return appendEvent(tx, EventOutputStalled, c, map[string]string{"stream": s.String(), "gaps": strconv.Itoa(loss.Gaps), "lost_bytes": strconv.FormatInt(loss.Bytes, 10)})
}

// losses gives what is missing of an attempt's output, as far as it can be read.
func (h *Host) losses(ref executor.Ref, merged bool) map[Stream]executor.Loss {
	stdout, stderr, err := h.output.Files(ref, merged).Usage()
	if err != nil {
		return nil
	}
	return map[Stream]executor.Loss{Stdout: stdout.Lost, Stderr: stderr.Lost}
}

// Sink takes output as it comes. data is valid during the call alone. An error
// ends the reading.
type Sink func(s Stream, data []byte) error

// Cursor is a place in the output of a container: an attempt, and the offset of
// the next byte of each of its streams. Output is never renumbered, so that a
// cursor stays good for as long as the output is kept, whatever happens to the
// host.
type Cursor struct {
	Attempt int   `json:"attempt"`
	Stdout  int64 `json:"stdout"`
	Stderr  int64 `json:"stderr"`
}

// LogOptions say which output is wanted.
type LogOptions struct {
	// From is where to begin; the other bounds apply from there on. Attempt 0 is
	// the present one.
	From Cursor
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
	// Begun, if not nil, is told where the output begins. Each byte that goes to
	// the sink, timestamps left out, and each that was dropped moves its stream's
	// offset on by one: that is where to take the output up again.
	Begun func(Cursor) error
	// Dropped, if not nil, is told of output that is not kept any more, before
	// what follows it goes to the sink.
	Dropped func(s Stream, bytes int64) error
}

// Logs gives the output of an attempt of a container to sink.
func (h *Host) Logs(ctx context.Context, reference string, opts LogOptions, sink Sink) error {
	record, err := h.record(reference)
	if err != nil {
		return err
	}
	ref := record.Ref()
	if opts.From.Attempt != 0 {
		ref.Attempt = opts.From.Attempt
	}
	read := output.ReadOptions{
		From:       output.Cursor{Stdout: opts.From.Stdout, Stderr: opts.From.Stderr},
		OmitStdout: opts.Stderr && !opts.Stdout, OmitStderr: opts.Stdout && !opts.Stderr,
		Since: opts.Since, Until: opts.Until,
	}
	if opts.Tail >= 0 {
		read.Tail = &opts.Tail
	}
	e, leave := h.await(ref)
	defer leave()
	// Looked at after registering, so that no end falls between.
	end, notStarted := h.endOf(ref)
	if opts.Follow && end == nil && notStarted == nil {
		read.Done = e.done
	}
	reader, err := output.NewReader(h.watcher, h.output.Files(ref, record.Stdio.Merged), read)
	if errors.Is(err, executor.NotFound) && errors.Is(notStarted, executor.FailedPrecondition) {
		return nil
	}
	if err != nil {
		return err
	}
	defer reader.Close()
	if opts.Begun != nil {
		at := reader.Cursor()
		if err := opts.Begun(Cursor{Attempt: ref.Attempt, Stdout: at.Stdout, Stderr: at.Stderr}); err != nil {
			return err
		}
	}
	return copyOutput(ctx, reader, opts, sink)
}

// copyOutput gives what a reader reads.
func copyOutput(ctx context.Context, reader *output.Reader, opts LogOptions, sink Sink) error {
	stamps := map[Stream]*stamper{Stdout: {}, Stderr: {}}
	for {
		chunk, err := reader.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if chunk.Dropped > 0 {
			stamps[chunk.Stream].within = false
			if opts.Dropped != nil {
				if err := opts.Dropped(chunk.Stream, chunk.Dropped); err != nil {
					return err
				}
			}
		}
		give := func(data []byte) error { return sink(chunk.Stream, data) }
		if opts.Timestamps {
			err = stamps[chunk.Stream].stamp(misread(chunk.Data), chunk.Time, give)
		} else {
			err = give(misread(chunk.Data))
		}
		if err != nil {
			return err
		}
	}
}

// stamper puts a time before each line of a stream that comes in pieces.
type stamper struct {
	within bool // the last piece ended within a line
	buf    []byte
}

// stamped is about how much a stamper gives at once. What is much more than it
// read would be split by who sends it, within a timestamp perhaps.
const stamped = 128 << 10

func (s *stamper) stamp(data []byte, at time.Time, give func([]byte) error) error {
	s.buf = s.buf[:0]
	for line := range bytes.Lines(data) {
		if len(s.buf) >= stamped {
			if err := give(s.buf); err != nil {
				return err
			}
			s.buf = s.buf[:0]
		}
		if !s.within {
			s.buf = at.UTC().AppendFormat(s.buf, TimestampLayout)
		}
		s.buf = append(s.buf, line...)
		s.within = line[len(line)-1] != '\n'
	}
	return give(s.buf)
}

// TimestampLayout is that of the timestamps before lines, for the time package:
// RFC 3339 in UTC with all digits of a nanosecond, as Docker writes it, so that
// lines sort and each has the same length.
const TimestampLayout = "2006-01-02T15:04:05.000000000Z "
