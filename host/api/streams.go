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
	"github.com/davit-run/davit/shared/executor"
)

// message is what a frame of stream.Control holds. One member is set.
type message struct {
	Container *host.Container `json:"container,omitempty"`
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

// run answers a request for an attached container.
func (s *handler) run(w http.ResponseWriter, r *http.Request, opts host.ContainerOptions) error {
	f := newFrames(w)
	started := func(c host.Container) error { return f.send(message{Container: &c}) }
	end, err := s.host.Run(r.Context(), opts, started, f.write)
	if err == nil {
		err = f.send(message{End: end})
	}
	return f.fail(r.Context(), err)
}

// Run makes a container, gives its output to sink until it has ended, and gives
// its end; see [host.Host.Run]. An error after started was called leaves the
// container running.
func (c *Client) Run(ctx context.Context, opts host.ContainerOptions, started func(host.Container) error, sink host.Sink) (end *host.End, err error) {
	body, err := c.open(ctx, http.MethodPost, "/v1/containers?attach=true", requestOf(opts))
	if err != nil {
		return nil, err
	}
	defer body.Close()
	err = c.read(ctx, http.MethodPost, body, sink, func(m message) error {
		switch {
		case m.Container != nil && started != nil:
			return started(*m.Container)
		case m.End != nil:
			end = m.End
		}
		return nil
	})
	if err == nil && end == nil {
		err = executor.Errorf(executor.Internal, "the host's answer ended without the container's end")
	}
	return end, err
}

func (s *handler) logs(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r)
	f := newFrames(w)
	opts := host.LogOptions{
		Follow: q.bool("follow"), Tail: q.int("tail", -1), Stdout: q.bool("stdout"), Stderr: q.bool("stderr"),
		Since: q.time("since"), Until: q.time("until"), Timestamps: q.bool("timestamps"),
		Dropped: func(s host.Stream, bytes int64) error { return f.send(message{Dropped: &dropped{s, bytes}}) },
	}
	if err := q.done(); err != nil {
		return err
	}
	return f.fail(r.Context(), s.host.Logs(r.Context(), r.PathValue("ref"), opts, f.write))
}

// Logs gives the output of a container to sink; see [host.Host.Logs].
func (c *Client) Logs(ctx context.Context, reference string, opts host.LogOptions, sink host.Sink) error {
	path, err := containerPath(reference)
	if err != nil {
		return err
	}
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
	if opts.Tail >= 0 {
		q.Set("tail", strconv.Itoa(opts.Tail))
	}
	body, err := c.open(ctx, http.MethodGet, path+"/logs?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	defer body.Close()
	return c.read(ctx, http.MethodGet, body, sink, func(m message) error {
		if m.Dropped != nil && opts.Dropped != nil {
			return opts.Dropped(m.Dropped.Stream, m.Dropped.Bytes)
		}
		return nil
	})
}

// read takes frames apart until they end.
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
