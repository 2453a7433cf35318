package otlp

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/trace"
)

func environment(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func TestFromEnvironment(t *testing.T) {
	const endpoint, traces = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	for name, tt := range map[string]struct {
		env  []string
		want string
	}{
		"nothing":          {nil, "none"},
		"an endpoint":      {[]string{endpoint, "http://127.0.0.1:4318"}, "http://127.0.0.1:4318/v1/traces"},
		"with a path":      {[]string{endpoint, "https://collector/otlp/"}, "https://collector/otlp/v1/traces"},
		"for traces alone": {[]string{endpoint, "http://127.0.0.1:1", traces, "http://127.0.0.1:4318/x"}, "http://127.0.0.1:4318/x"},
		"a password":       {[]string{endpoint, "http://me:secret@127.0.0.1:4318"}, "http://me:xxxxx@127.0.0.1:4318/v1/traces"},
		"disabled":         {[]string{endpoint, "http://127.0.0.1:4318", "OTEL_SDK_DISABLED", "true"}, "none"},
		"no exporter":      {[]string{endpoint, "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER", "none"}, "none"},
		"protobuf":         {[]string{endpoint, "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"}, "http://127.0.0.1:4318/v1/traces"},
		"grpc":             {[]string{endpoint, "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, `OTEL_EXPORTER_OTLP_PROTOCOL is "grpc"; davit sends traces over HTTP alone, mostly to port 4318`},
		"no URL":           {[]string{endpoint, "127.0.0.1:4318"}, `OTEL_EXPORTER_OTLP_ENDPOINT is "127.0.0.1:4318"; write such as http://127.0.0.1:4318`},
		"headers":          {[]string{endpoint, "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_HEADERS", "nonsense"}, "OTEL_EXPORTER_OTLP_HEADERS: it is not of the form NAME=VALUE,NAME=VALUE"},
		"attributes":       {[]string{endpoint, "http://127.0.0.1:4318", "OTEL_RESOURCE_ATTRIBUTES", "a=%zz"}, "OTEL_RESOURCE_ATTRIBUTES: a value has a wrong escape"},
	} {
		target, err := FromEnvironment(environment(tt.env...))
		got := "none"
		if err != nil {
			got = err.Error()
		} else if target != nil {
			got = target.String()
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}

// request is what a collector got.
type request struct {
	header http.Header
	body   string
}

// collector returns a server that keeps what it gets and answers with a status, and a target of
// it.
func collector(t *testing.T, status int, env ...string) (*Target, func() []request) {
	t.Helper()
	var mu sync.Mutex
	var got []request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, request{r.Header, r.URL.Path + " " + string(body)})
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "what it says")
	}))
	t.Cleanup(server.Close)
	target, err := FromEnvironment(environment(append(env, "OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)...))
	if err != nil {
		t.Fatal(err)
	}
	return target, func() []request {
		mu.Lock()
		defer mu.Unlock()
		return got
	}
}

func TestSend(t *testing.T) {
	target, got := collector(t, http.StatusOK, "OTEL_EXPORTER_OTLP_HEADERS", "x-token=a%20b", "OTEL_RESOURCE_ATTRIBUTES", "site=here")
	at := time.Unix(1, 5)
	spans := []trace.Span{
		{Trace: "t", ID: "2", Parent: "1", Service: "host", Name: "b", Kind: trace.Server, Start: at, End: at.Add(1), Error: "it failed"},
		{Trace: "t", ID: "1", Service: "cli", Name: "a", Kind: trace.Client, Start: at, End: at.Add(2), Attributes: map[string]string{"k": "v", "a": "b"}},
	}
	if err := target.Send(t.Context(), spans); err != nil {
		t.Fatal(err)
	}
	const want = `/v1/traces {"resourceSpans":[` +
		`{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"cli"}},{"key":"site","value":{"stringValue":"here"}}]},` +
		`"scopeSpans":[{"scope":{"name":"github.com/davit-run/davit"},"spans":[{"traceId":"t","spanId":"1","name":"a","kind":3,"startTimeUnixNano":"1000000005","endTimeUnixNano":"1000000007","attributes":[{"key":"a","value":{"stringValue":"b"}},{"key":"k","value":{"stringValue":"v"}}]}]}]},` +
		`{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"host"}},{"key":"site","value":{"stringValue":"here"}}]},` +
		`"scopeSpans":[{"scope":{"name":"github.com/davit-run/davit"},"spans":[{"traceId":"t","spanId":"2","parentSpanId":"1","name":"b","kind":2,"startTimeUnixNano":"1000000005","endTimeUnixNano":"1000000006","status":{"code":2,"message":"it failed"}}]}]}]}`
	if all := got(); len(all) != 1 || all[0].body != want || all[0].header.Get("X-Token") != "a b" || all[0].header.Get("Content-Type") != "application/json" {
		t.Errorf("got %+v\nwant %s", all, want)
	}
	bad, _ := collector(t, http.StatusTooManyRequests)
	if err := bad.Send(t.Context(), spans); err == nil || !strings.Contains(err.Error(), "/v1/traces answered 429 Too Many Requests: what it says") {
		t.Errorf("got %v", err)
	}
}

func TestExporter(t *testing.T) {
	target, got := collector(t, http.StatusOK)
	e := NewExporter(target, func(int, error) { t.Error("spans were lost") })
	e.Add(trace.Span{ID: "1"})
	wait.Until(t, "the first span has come", func() bool { return len(got()) > 0 })
	for range 2*maxBatch + 1 {
		e.Add(trace.Span{ID: "2"})
	}
	e.Close()
	n := 0
	for _, r := range got() {
		var m message
		if err := json.Unmarshal([]byte(strings.TrimPrefix(r.body, "/v1/traces ")), &m); err != nil {
			t.Fatal(err)
		}
		n += len(m.ResourceSpans[0].ScopeSpans[0].Spans)
	}
	if n != 2*maxBatch+2 {
		t.Errorf("%d spans came, want %d", n, 2*maxBatch+2)
	}
	// One that refuses all, and more than can wait.
	target, _ = collector(t, http.StatusInternalServerError)
	var mu sync.Mutex
	lost := 0
	e = NewExporter(target, func(dropped int, _ error) {
		mu.Lock()
		defer mu.Unlock()
		lost += dropped
	})
	for range maxQueue + 2*maxBatch + 10 {
		e.Add(trace.Span{ID: "1"})
	}
	e.Close()
	mu.Lock()
	defer mu.Unlock()
	if lost == 0 {
		t.Error("nobody was told that spans were lost")
	}
}

// TestNobodyListens has no collector.
func TestNobodyListens(t *testing.T) {
	target, _ := FromEnvironment(environment("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"))
	if err := target.Send(context.Background(), nil); err == nil {
		t.Error("no error")
	}
}
