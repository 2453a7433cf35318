package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/internal/stream"
)

// message is what a frame of stream.Control holds. One member is set.
type message struct {
	Container *host.Container `json:"container,omitempty"`
	Cursor    *host.Cursor    `json:"cursor,omitempty"`
	Dropped   *dropped        `json:"dropped,omitempty"`
	End       *host.End       `json:"end,omitempty"`
	Error     *failure        `json:"error,omitempty"`
}

// dropped is output that is not kept any more.
type dropped struct {
	Stream host.Stream `json:"stream"`
	Bytes  int64       `json:"bytes"`
}

// frames writes frames as a response, each at once: what waits to be read next
// comes together by itself while a slow client takes this one.
type frames struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	enc   *stream.Encoder
	begun bool
}

func newFrames(w http.ResponseWriter) *frames {
	return &frames{w: w, rc: http.NewResponseController(w), enc: stream.NewEncoder(w)}
}

func (f *frames) write(s host.Stream, data []byte) error {
	if !f.begun {
		f.begun = true
		f.w.Header().Set("Content-Type", "application/vnd.davit.stream")
	}
	if err := f.enc.Write(s, data); err != nil {
		return err
	}
	return f.rc.Flush()
}

func (f *frames) send(m message) error {
	line, err := encode(m)
	if err != nil {
		return err
	}
	return f.write(stream.Control, line)
}

// fail sends an error, or gives it back if it can still become the response.
func (f *frames) fail(ctx context.Context, err error) error {
	if err == nil || !f.begun {
		return err
	}
	_ = f.send(message{Error: failureOf(cause(ctx, err))}) // fails if the client has gone
	return nil
}

// cursor and dropped are callbacks of the host.
func (f *frames) cursor(c host.Cursor) error { return f.send(message{Cursor: &c}) }

func (f *frames) dropped(s host.Stream, bytes int64) error {
	return f.send(message{Dropped: &dropped{s, bytes}})
}

// end sends the end of an attempt, unless there was an error.
func (f *frames) end(ctx context.Context, end *host.End, err error) error {
	if err == nil {
		err = f.send(message{End: end})
	}
	return f.fail(ctx, err)
}

// run answers a request for an attached container.
func (s *handler) run(w http.ResponseWriter, r *http.Request, opts host.ContainerOptions) error {
	f := newFrames(w)
	end, err := s.host.RunAttached(r.Context(), opts, host.Attachment{
		Started: func(c host.Container) error { return f.send(message{Container: &c}) },
		Output:  f.write,
		Dropped: f.dropped,
	})
	return f.end(r.Context(), end, err)
}

func (s *handler) logs(w http.ResponseWriter, r *http.Request) error {
	f := newFrames(w)
	opts, err := logOptions(r, f)
	if err != nil {
		return err
	}
	return f.fail(r.Context(), s.host.Logs(r.Context(), r.PathValue("ref"), opts, f.write))
}

func (s *handler) attach(w http.ResponseWriter, r *http.Request) error {
	f := newFrames(w)
	opts, err := logOptions(r, f)
	if err != nil {
		return err
	}
	end, err := s.host.Attach(r.Context(), r.PathValue("ref"), opts, f.write)
	return f.end(r.Context(), end, err)
}

// logOptions reads which output a request wants.
func logOptions(r *http.Request, f *frames) (host.LogOptions, error) {
	q := queryOf(r)
	opts := host.LogOptions{
		From:   host.Cursor{Attempt: q.int("attempt", 0), Stdout: q.offset("from_stdout"), Stderr: q.offset("from_stderr")},
		Follow: q.bool("follow"), Tail: q.int("tail", -1), Stdout: q.bool("stdout"), Stderr: q.bool("stderr"),
		Since: q.time("since"), Until: q.time("until"), Timestamps: q.bool("timestamps"),
		Begun: f.cursor, Dropped: f.dropped,
	}
	return opts, q.done()
}

// logQuery is logOptions backwards.
func logQuery(opts host.LogOptions) string {
	q := url.Values{}
	for name, set := range map[string]bool{"follow": opts.Follow, "stdout": opts.Stdout, "stderr": opts.Stderr, "timestamps": opts.Timestamps} {
		if set {
			q.Set(name, "true")
		}
	}
	for name, t := range map[string]time.Time{"since": opts.Since, "until": opts.Until} {
		if !t.IsZero() {
			q.Set(name, t.Format(time.RFC3339Nano))
		}
	}
	for name, n := range map[string]int64{"attempt": int64(opts.From.Attempt), "from_stdout": opts.From.Stdout, "from_stderr": opts.From.Stderr} {
		if n != 0 {
			q.Set(name, strconv.FormatInt(n, 10))
		}
	}
	if opts.Tail >= 0 {
		q.Set("tail", strconv.Itoa(opts.Tail))
	}
	return q.Encode()
}

// read takes frames apart until they end. A frame that is cut off goes nowhere.
func (c *Client) read(ctx context.Context, method string, body io.Reader, sink host.Sink, control func(message) error) error {
	dec := stream.NewDecoder(body)
	var line []byte
	for {
		s, data, err := dec.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return c.broken(ctx, method, err)
		}
		if s != stream.Control {
			if sink != nil {
				if err := sink(s, data); err != nil {
					return err
				}
			}
			continue
		}
		line = append(line, data...)
		if !bytes.HasSuffix(line, []byte("\n")) {
			continue // the rest is in the next frame
		}
		var m message
		if err := json.Unmarshal(line, &m); err != nil {
			return fmt.Errorf("message of the host: %w", err)
		}
		line = line[:0]
		if m.Error != nil {
			return m.Error.err()
		}
		if err := control(m); err != nil {
			return err
		}
	}
}
