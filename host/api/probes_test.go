package api

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

// TestProbes asks a host of which one backend is not ready, with the client and by status.
func TestProbes(t *testing.T) {
	c, _ := serveFake(t, &fake{})
	if got, err := c.Live(t.Context()); err != nil || !reflect.DeepEqual(got, Liveness{Problem: "the disk is full"}) {
		t.Errorf("live: got %+v, %v", got, err)
	}
	if got, err := c.Ready(t.Context(), nil); err != nil || !got.Ready {
		t.Errorf("ready: got %+v, %v", got, err)
	}
	if got, err := c.Ready(t.Context(), []string{"b"}); err != nil || !reflect.DeepEqual(got, Readiness{Backends: []BackendReadiness{{Name: "b"}}}) {
		t.Errorf("backend b: got %+v, %v", got, err)
	}
	if _, err := c.Ready(t.Context(), []string{"b", "c"}); !errors.Is(err, executor.Unavailable) || err.Error() != "no" {
		t.Errorf("an error with the status of a probe: got %v", err)
	}
	h := NewHandler(&fake{}, Options{})
	for target, want := range map[string]int{"/livez": 503, "/readyz": 200, "/readyz?backend=b": 503, "/readyz?backends=b": 400} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		if w.Code != want || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: got %d %v, want %d", target, w.Code, w.Header(), want)
		}
	}
}

func TestMetrics(t *testing.T) {
	c, _ := serveFake(t, &fake{})
	var text strings.Builder
	if err := c.WriteMetrics(t.Context(), &text); err != nil || text.String() != "up 1\n" {
		t.Errorf("got %q, %v", text.String(), err)
	}
}

// TestMonitoring checks that nothing else can be reached where monitoring is served.
func TestMonitoring(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- ServeMonitoring(ctx, l, &fake{}, Options{}) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	allowed := map[string]bool{"/metrics": true, "/livez": true, "/readyz": true}
	for _, r := range Routes() {
		req, err := http.NewRequestWithContext(ctx, r.Method, "http://"+l.Addr().String()+strings.ReplaceAll(strings.ReplaceAll(r.Path, "{", ""), "}", ""), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if none := resp.StatusCode == http.StatusNotFound; none == allowed[r.Path] {
			t.Errorf("%s %s: got %s %s", r.Method, r.Path, resp.Status, body)
		}
	}
}

// TestProfile is that of root over the socket, and of nobody else.
func TestProfile(t *testing.T) {
	f := &fake{archive: func(_ context.Context, what string, w io.Writer, _ io.Reader) error {
		_, err := io.WriteString(w, what)
		return err
	}}
	c, _ := serveFake(t, f)
	var got strings.Builder
	if err := c.Profile(t.Context(), "heap", ProfileOptions{Seconds: 2, Debug: 1}, &got); err != nil || got.String() != "heap {2 1}" {
		t.Errorf("got %q, %v", got.String(), err)
	}
	if err := c.Profile(t.Context(), "profile", ProfileOptions{Seconds: MaxProfileSeconds + 1}, io.Discard); !errors.Is(err, executor.Invalid) {
		t.Errorf("too long: got %v", err)
	}
	for name, ctx := range map[string]context.Context{"tcp": t.Context(), "another user": WithCaller(t.Context(), Caller{UID: 12345})} {
		if err := requireRoot(ctx, "profile"); !errors.Is(err, executor.FailedPrecondition) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
