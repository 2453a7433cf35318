package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/davit-run/davit/host/rigs/wait"
)

// gotSpan is a span that a collector got.
type gotSpan struct {
	Service      string `json:"-"`
	TraceID      string
	SpanID       string
	ParentSpanID string `json:"parentSpanId"`
	Name         string
	Start        string `json:"startTimeUnixNano"`
	Status       *struct {
		Code    int
		Message string
	}
}

// spanCollector is a collector of OpenTelemetry.
type spanCollector struct {
	mu    sync.Mutex
	spans []gotSpan
}

func (c *spanCollector) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var body struct {
		ResourceSpans []struct {
			Resource struct {
				Attributes []struct {
					Key   string
					Value struct{ StringValue string }
				}
			}
			ScopeSpans []struct{ Spans []gotSpan }
		}
	}
	raw, _ := io.ReadAll(r.Body)
	if json.Unmarshal(raw, &body) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rs := range body.ResourceSpans {
		for _, s := range rs.ScopeSpans[0].Spans {
			s.Service = rs.Resource.Attributes[0].Value.StringValue
			c.spans = append(c.spans, s)
		}
	}
}

// tree returns the trace in which a span has a name, a line a span, each below its parent.
func (c *spanCollector) tree(root string) (lines []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.spans, func(s gotSpan) bool { return s.Name == root })
	if i < 0 {
		return nil
	}
	var of []gotSpan
	for _, s := range c.spans {
		if s.TraceID == c.spans[i].TraceID {
			of = append(of, s)
		}
	}
	slices.SortStableFunc(of, func(a, b gotSpan) int { return strings.Compare(a.Start, b.Start) })
	var add func(parent, indent string)
	add = func(parent, indent string) {
		for _, s := range of {
			if s.ParentSpanID == parent {
				lines = append(lines, indent+s.Service+" "+s.Name)
				add(s.SpanID, indent+"  ")
			}
		}
	}
	add(c.spans[i].ParentSpanID, "")
	if len(lines) != len(of) {
		lines = append(lines, fmt.Sprintf("and %d spans without a parent", len(of)-len(lines)))
	}
	return lines
}

// TestTrace follows a start from the command line to the shim.
func TestTrace(t *testing.T) {
	need(t)
	collector := &spanCollector{}
	server := httptest.NewServer(collector)
	t.Cleanup(server.Close) // after that of the site
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	s := newSite(t, "backend \"bare\" { executor = \"shim\" }\n")
	if r := s.runRootfs("--rm", "true"); r != (result{}) {
		t.Errorf("got %+v", r)
	}
	want := []string{
		"davit davit run",
		"  davit-host POST /v1/run",
		"    davit-host make",
		"      davit-host executor.runtime-resolve",
		"        davit-executor-shim runtime-resolve",
		"      davit-host intent",
		"    davit-host start",
		"      davit-host files",
		"      davit-host rootfs",
		"      davit-host network",
		"      davit-host ports",
		"      davit-host create",
		"        davit-host executor.create",
		"          davit-executor-shim create",
		"            davit-executor-shim prepare",
		"            davit-executor-shim start",
		"              davit-executor-shim shim.launch",
		"              davit-executor-shim shim.create",
		"              davit-executor-shim shim.start",
		"      davit-host record",
	}
	var got []string
	wait.Holds(func() bool { // all of them have come
		got = collector.tree("davit run")
		return len(got) >= len(want)
	})
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	// A trace that somebody else has begun goes on, and one that is not sampled is none.
	t.Setenv("TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if r := s.runRootfs("nonsense"); r.code != 127 {
		t.Errorf("got %+v", r)
	}
	s.waitFor("the spans of the host have come", func() bool {
		collector.mu.Lock()
		defer collector.mu.Unlock()
		return slices.ContainsFunc(collector.spans, func(s gotSpan) bool {
			return s.TraceID == "0af7651916cd43dd8448eb211c80319c" && s.Name == "start" && s.Status != nil && s.Status.Code == 2
		})
	})
	t.Setenv("TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
	s.must("ps")
	collector.mu.Lock()
	defer collector.mu.Unlock()
	for _, span := range collector.spans {
		if span.TraceID == "0af7651916cd43dd8448eb211c80319c" && span.Name == "davit ps" {
			t.Error("a command is traced that is not to be")
		}
	}
}
