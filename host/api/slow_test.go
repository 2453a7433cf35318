package api

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSlowBody checks that a client which never sends the rest of a body is answered and
// hung up on, wherever it sends it.
func TestSlowBody(t *testing.T) {
	dir := shortDir(t)
	l, err := Listen(socketIn(dir))
	if err != nil {
		t.Fatal(err)
	}
	handler := newHandler(&fake{}, Options{})
	handler.bodyTime = 50 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, l, handler) }()
	for name, head := range map[string]string{
		"with a length":   "POST /v1/containers HTTP/1.1\r\nHost: davit\r\nContent-Length: 1000\r\n\r\n{",
		"in chunks":       "POST /v1/containers HTTP/1.1\r\nHost: davit\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
		"without need":    "POST /v1/containers/web/pause HTTP/1.1\r\nHost: davit\r\nContent-Length: 1000\r\n\r\n{",
		"to no route":     "POST /v1/nonsense HTTP/1.1\r\nHost: davit\r\nContent-Length: 1000\r\n\r\n{",
		"to what streams": "GET /v1/events HTTP/1.1\r\nHost: davit\r\nContent-Length: 1000\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("unix", filepath.Join(dir, "davit.sock"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			if _, err := io.WriteString(conn, head); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("no answer: %v", err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != 400 && resp.StatusCode != 404 && resp.StatusCode != 501 || !strings.Contains(string(body), `"code"`) {
				t.Errorf("got %d %s, %v", resp.StatusCode, body, err)
			}
			if n, err := conn.Read(make([]byte, 1)); err != io.EOF { //nolint:errorlint // of a socket
				t.Errorf("after the answer: got %d, %v; want the end", n, err)
			}
		})
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
