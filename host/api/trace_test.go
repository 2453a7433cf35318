package api

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/trace"
)

func TestTraces(t *testing.T) {
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	var spans []trace.Span
	var inside string
	f := &fake{
		list: func() ([]Container, error) { return nil, nil },
		pause: func(ctx context.Context, ref string) error {
			inside = trace.Traceparent(ctx)
			if ref == "bad" {
				return errors.New("it failed")
			}
			return nil
		},
	}
	ask := func(sink trace.Sink, header, path string) {
		spans, inside = nil, ""
		r := httptest.NewRequest(http.MethodPost, path, nil)
		if header != "" {
			r.Header.Set("traceparent", header)
		}
		NewHandler(f, Options{Trace: sink}).ServeHTTP(httptest.NewRecorder(), r)
	}
	sink := func(s trace.Span) { spans = append(spans, s) }
	ask(sink, parent, "/v1/containers/web/pause")
	if len(spans) != 1 || spans[0].Name != "POST /v1/containers/{ref}/pause" || spans[0].Parent != "b7ad6b7169203331" || spans[0].Kind != trace.Server || spans[0].Service != HostService || spans[0].Error != "" || spans[0].Attributes["http.response.status_code"] != "204" {
		t.Errorf("got %+v", spans)
	}
	if !strings.HasPrefix(inside, parent[:36]) || !strings.Contains(inside, spans[0].ID) {
		t.Errorf("the host sees %q", inside)
	}
	ask(sink, parent, "/v1/containers/bad/pause")
	if len(spans) != 1 || spans[0].Error != "status 500" {
		t.Errorf("of one that fails: got %+v", spans)
	}
	for _, header := range []string{"", "nonsense", strings.TrimSuffix(parent, "1") + "0"} {
		if ask(sink, header, "/v1/containers/web/pause"); len(spans) != 0 || inside != "" {
			t.Errorf("%q: got %+v, %q", header, spans, inside)
		}
	}
	if ask(nil, parent, "/v1/containers/web/pause"); inside != "" {
		t.Errorf("nobody traces, and the host sees %q", inside)
	}

	req, err := newRequest(WithTraceparent(t.Context(), parent), http.MethodGet, "/v1", nil)
	if err != nil || req.Header.Get("traceparent") != parent {
		t.Errorf("got %q, %v", req.Header.Get("traceparent"), err)
	}
	if req, err = newRequest(t.Context(), http.MethodGet, "/v1", nil); err != nil || req.Header.Get("traceparent") != "" {
		t.Errorf("without a trace: got %q, %v", req.Header.Get("traceparent"), err)
	}
}
