package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/davit-run/davit/shared/executor"
)

// tarStream is the type of replies that are tar streams.
type tarStream struct{}

// endTrailer follows a tar stream. Its value is the error that has cut the stream short,
// as JSON, or "{}".
const endTrailer = "Davit-Stream-End"

// sendTar sends what write writes as a response. An error before the first byte is
// returned. A later one follows the stream.
func sendTar(ctx context.Context, w http.ResponseWriter, write func(io.Writer) error) error {
	t := &tarWriter{ctx: ctx, w: w}
	err := write(t)
	if err == nil {
		t.begin() // also of nothing
	}
	if !t.begun {
		return err
	}
	end := []byte("{}")
	if err != nil {
		end, _ = json.Marshal(failureOf(cause(ctx, err)))
	}
	w.Header().Set(endTrailer, string(end))
	return nil
}

// tarWriter writes a response for as long as the request lasts.
type tarWriter struct {
	ctx   context.Context
	w     http.ResponseWriter
	begun bool
}

func (t *tarWriter) begin() {
	if !t.begun {
		t.begun = true
		t.w.Header().Set("Content-Type", "application/x-tar")
		t.w.Header().Set("Trailer", endTrailer)
	}
}

func (t *tarWriter) Write(p []byte) (int, error) {
	if err := t.ctx.Err(); err != nil {
		return 0, context.Cause(t.ctx)
	}
	t.begin()
	return t.w.Write(p)
}

// receiveTar copies a response to w, and returns the error that has cut it short.
func (c *Client) receiveTar(ctx context.Context, resp *http.Response, w io.Writer) error {
	defer resp.Body.Close()
	body := &source{r: resp.Body}
	if _, err := io.Copy(w, body); err != nil {
		if failed := body.failed(); failed != nil {
			return c.broken(ctx, resp.Request.Method, failed)
		}
		return err
	}
	end := resp.Trailer.Get(endTrailer)
	if end == "{}" {
		return nil
	}
	var f failure
	if err := json.Unmarshal([]byte(end), &f); err != nil || f.Code == "" {
		return executor.Errorf(executor.Internal, "the host's answer ended without saying that it is complete")
	}
	return f.err()
}

// source is a reader that knows whether it has failed. It is safe for concurrent use.
type source struct {
	r   io.Reader
	mu  sync.Mutex
	err error
}

func (s *source) Read(p []byte) (int, error) {
	if s.r == nil {
		return 0, io.EOF
	}
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
	}
	return n, err
}

func (s *source) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
