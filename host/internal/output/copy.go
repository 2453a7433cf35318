package output

import (
	"context"
	"errors"
	"io"

	"github.com/davit-run/davit/host/api"
)

// Copy copies the output of an attempt to sink as opts say, from opts.From on. It goes
// on until done is closed; done is nil for an attempt that has ended.
func (o *Outputs) Copy(ctx context.Context, files Files, opts api.LogOptions, done <-chan struct{}, sink api.Sink) error {
	read := readOptions(opts)
	read.Done, read.Tail = done, opts.Tail
	reader, err := NewReader(ctx, o.watcher, files, read)
	if err != nil {
		return err
	}
	defer reader.Close()
	if opts.Begun != nil {
		at := reader.Cursor()
		if err := opts.Begun(api.Cursor{Attempt: files.Ref.Attempt, Stdout: at.Stdout, Stderr: at.Stderr}); err != nil {
			return err
		}
	}
	return copyOutput(ctx, reader, opts, sink)
}

func readOptions(opts api.LogOptions) ReadOptions {
	return ReadOptions{
		From:       Cursor{Stdout: opts.From.Stdout, Stderr: opts.From.Stderr},
		OmitStdout: opts.Stderr && !opts.Stdout, OmitStderr: opts.Stdout && !opts.Stderr,
		Since: opts.Since, Until: opts.Until,
	}
}

// copyOutput copies what a reader reads to sink.
func copyOutput(ctx context.Context, reader *Reader, opts api.LogOptions, sink api.Sink) error {
	stamps := map[api.Stream]*stamper{api.Stdout: {}, api.Stderr: {}}
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
		pass := func(data []byte) error { return sink(chunk.Stream, data) }
		if opts.Timestamps {
			err = stamps[chunk.Stream].stamp(chunk, pass)
		} else {
			err = pass(chunk.Data)
		}
		if err != nil {
			return err
		}
	}
}
