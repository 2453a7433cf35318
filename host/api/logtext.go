package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
)

// textStream is the type of replies that are the bytes of output, and lineStream of those with
// a JSON object for each line of it. They are for clients in other languages: they cannot go on
// where a host that was killed has ended.
type (
	textStream struct{}
	lineStream struct{}
)

// LogLine is a line of the output of a container. One of Text, Dropped and Error is set.
type LogLine struct {
	// Stream is stdout or stderr.
	Stream string `json:"stream,omitempty"`
	// Text is the line, with its newline if it has one. What is not UTF-8 in it is replaced.
	Text string `json:"text,omitempty"`
	// Dropped is how many bytes of the stream are missing here, since the oldest output is not
	// kept any more.
	Dropped int64 `json:"dropped,omitempty"`
	// Error says why there is no more.
	Error *failure `json:"error,omitempty"`
}

var logTextRoute = define(route[logger, logsRequest, textStream]{
	Name:   "LogText",
	Method: http.MethodGet,
	Path:   "/v1/containers/{ref}/logs/text",
	Doc:    "streams the output of a container as it is, both streams together",
	Stream: func(ctx context.Context, h logger, r *logsRequest, w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "text/plain")
		rc := http.NewResponseController(w)
		begun := false
		err := h.Logs(ctx, r.Ref, r.plain(), func(_ Stream, data []byte) error {
			begun = true
			_, err := w.Write(data)
			return errors.Join(err, rc.Flush())
		})
		if begun {
			err = nil // there is no place for it
		}
		return err
	},
})

var logLinesRoute = define(route[logger, logsRequest, lineStream]{
	Name:   "LogLines",
	Method: http.MethodGet,
	Path:   "/v1/containers/{ref}/logs/lines",
	Doc:    "streams the output of a container, one JSON object for each line",
	Stream: func(ctx context.Context, h logger, r *logsRequest, w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "application/x-ndjson")
		l := lineWriter{w: w, rc: http.NewResponseController(w)}
		opts := r.plain()
		opts.Dropped = func(s Stream, n int64) error { return l.send(LogLine{Stream: s.String(), Dropped: n}) }
		err := h.Logs(ctx, r.Ref, opts, l.write)
		for _, s := range []Stream{Stdout, Stderr} {
			if err == nil && len(l.rest[s]) > 0 {
				err = l.send(LogLine{Stream: s.String(), Text: string(l.rest[s])})
			}
		}
		if err != nil && l.begun {
			_ = l.send(LogLine{Error: failureOf(cause(ctx, err))}) // fails if the client has gone
			err = nil
		}
		return err
	},
})

// plain returns the options of a request whose reply has no messages.
func (r *logsRequest) plain() LogOptions {
	opts := r.options(nil)
	opts.Begun, opts.Dropped = nil, nil
	return opts
}

// lineWriter writes output as LogLines. It keeps back a line that has not ended.
type lineWriter struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	rest  [Stderr + 1][]byte
	begun bool
}

// maxLogLine is the length of a line, in bytes, above which it is sent in pieces.
const maxLogLine = 64 << 10

func (l *lineWriter) write(s Stream, data []byte) error {
	if s != Stdout && s != Stderr {
		return nil
	}
	data = append(l.rest[s], data...)
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n') + 1
		if end == 0 && len(data) < maxLogLine {
			break
		}
		if end == 0 || end > maxLogLine {
			end = maxLogLine
		}
		if err := l.send(LogLine{Stream: s.String(), Text: string(data[:end])}); err != nil {
			return err
		}
		data = data[end:]
	}
	l.rest[s] = bytes.Clone(data)
	return nil
}

func (l *lineWriter) send(line LogLine) error {
	l.begun = true
	b, err := encode(line)
	if err == nil {
		_, err = l.w.Write(b)
	}
	return errors.Join(err, l.rc.Flush())
}

// LogText copies the output of a container to w, both streams together. It is what other
// languages ask for; Logs keeps the streams apart, and goes on when a host comes back.
func (c *Client) LogText(ctx context.Context, reference string, opts LogOptions, w io.Writer) error {
	resp, err := logTextRoute.open(ctx, c, newLogsRequest(reference, opts))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(w, resp.Body)
	return err
}

// LogLines returns the lines of the output of a container. It is what other languages ask for;
// Logs returns the bytes as they are, and goes on when a host comes back.
func (c *Client) LogLines(ctx context.Context, reference string, opts LogOptions) iter.Seq2[LogLine, error] {
	return func(yield func(LogLine, error) bool) {
		resp, err := logLinesRoute.open(ctx, c, newLogsRequest(reference, opts))
		if err != nil {
			yield(LogLine{}, err)
			return
		}
		defer resp.Body.Close()
		for dec := json.NewDecoder(resp.Body); ; {
			var line LogLine
			err := dec.Decode(&line)
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil && line.Error != nil {
				err = line.Error.err()
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}
