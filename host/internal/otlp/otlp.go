// Package otlp sends spans to a collector of OpenTelemetry, as OTLP over HTTP in JSON.
//
// # Rationale
//
// Why not the SDK and its exporter? The command line must send its spans too, and is a small
// program which starts in milliseconds. The exporter brings protobuf and gRPC with it. What is
// needed of the protocol are one request and one message, whose JSON form is stable since OTLP
// 1.0, and every collector takes it at the same address as protobuf.
package otlp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/trace"
)

// Target is where spans are sent.
type Target struct {
	url        string
	headers    map[string]string
	service    string // instead of that of spans, or empty
	attributes map[string]string
}

// FromEnvironment returns the target that the variables of OpenTelemetry name, or nil if they
// name none: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS, the same for TRACES
// alone, OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME, OTEL_TRACES_EXPORTER and
// OTEL_SDK_DISABLED.
func FromEnvironment(lookup func(string) (string, bool)) (*Target, error) {
	get := func(name string) string { value, _ := lookup(name); return strings.TrimSpace(value) }
	first := func(name string) (value, from string) {
		from = strings.Replace(name, "OTLP_", "OTLP_TRACES_", 1)
		if value = get(from); value == "" {
			from = name
			value = get(from)
		}
		return value, from
	}
	endpoint, from := first("OTEL_EXPORTER_OTLP_ENDPOINT")
	if endpoint == "" || strings.EqualFold(get("OTEL_SDK_DISABLED"), "true") || get("OTEL_TRACES_EXPORTER") == "none" {
		return nil, nil
	}
	if protocol, name := first("OTEL_EXPORTER_OTLP_PROTOCOL"); protocol == "grpc" {
		return nil, fmt.Errorf("%s is %q; davit sends traces over HTTP alone, mostly to port 4318", name, protocol)
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%s is %q; write such as http://127.0.0.1:4318", from, endpoint)
	}
	if from == "OTEL_EXPORTER_OTLP_ENDPOINT" {
		u = u.JoinPath("v1/traces")
	}
	t := &Target{url: u.String(), service: get("OTEL_SERVICE_NAME")}
	headers, name := first("OTEL_EXPORTER_OTLP_HEADERS")
	if t.headers, err = pairs(headers); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if t.attributes, err = pairs(get("OTEL_RESOURCE_ATTRIBUTES")); err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return t, nil
}

// String returns the URL, without a password.
func (t *Target) String() string {
	u, err := url.Parse(t.url)
	if err != nil { // was parsed before
		return ""
	}
	return u.Redacted()
}

// pairs reads NAME=VALUE,NAME=VALUE, where values are escaped as in URLs.
func pairs(text string) (map[string]string, error) {
	all := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, errors.New("it is not of the form NAME=VALUE,NAME=VALUE")
		}
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if err != nil {
			return nil, errors.New("a value has a wrong escape")
		}
		all[name] = value
	}
	return all, nil
}

// client follows no redirect: the spans, and what the headers have, are for the target alone.
var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// Send sends spans in one request.
func (t *Target) Send(ctx context.Context, spans []trace.Span) error {
	body, err := json.Marshal(t.message(spans))
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, value := range t.headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s: %s", t, resp.Status, bytes.TrimSpace(answer))
	}
	return nil
}

// The message ExportTraceServiceRequest, as far as it is used. Ids are in hex and 64-bit numbers
// are strings in its JSON.
type (
	message struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   resource     `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
	}
	resource struct {
		Attributes []attribute `json:"attributes"`
	}
	scopeSpans struct {
		Scope scope  `json:"scope"`
		Spans []span `json:"spans"`
	}
	scope struct {
		Name string `json:"name"`
	}
	span struct {
		TraceID    string      `json:"traceId"`
		SpanID     string      `json:"spanId"`
		Parent     string      `json:"parentSpanId,omitempty"`
		Name       string      `json:"name"`
		Kind       trace.Kind  `json:"kind"`
		Start      string      `json:"startTimeUnixNano"`
		End        string      `json:"endTimeUnixNano"`
		Attributes []attribute `json:"attributes,omitempty"`
		Status     *status     `json:"status,omitempty"`
	}
	attribute struct {
		Key   string `json:"key"`
		Value value  `json:"value"`
	}
	value struct {
		String string `json:"stringValue"`
	}
	status struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
)

const (
	scopeName   = "github.com/davit-run/davit"
	statusError = 2
)

// message returns the request for spans, by their services.
func (t *Target) message(spans []trace.Span) message {
	services := map[string][]span{}
	for _, s := range spans {
		out := span{
			TraceID: s.Trace, SpanID: s.ID, Parent: s.Parent, Name: s.Name, Kind: s.Kind,
			Start: nanoseconds(s.Start), End: nanoseconds(s.End), Attributes: attributes(s.Attributes),
		}
		if s.Error != "" {
			out.Status = &status{statusError, s.Error}
		}
		services[s.Service] = append(services[s.Service], out)
	}
	var m message
	for _, service := range slices.Sorted(maps.Keys(services)) {
		about := maps.Clone(t.attributes)
		if about == nil {
			about = map[string]string{}
		}
		about["service.name"] = service
		m.ResourceSpans = append(m.ResourceSpans, resourceSpans{
			Resource: resource{attributes(about)}, ScopeSpans: []scopeSpans{{scope{scopeName}, services[service]}},
		})
	}
	return m
}

func nanoseconds(at time.Time) string { return strconv.FormatInt(at.UnixNano(), 10) }

func attributes(of map[string]string) (all []attribute) {
	for _, name := range slices.Sorted(maps.Keys(of)) {
		all = append(all, attribute{name, value{of[name]}})
	}
	return all
}

// Service returns OTEL_SERVICE_NAME, or what is usual.
func (t *Target) Service(usual string) string {
	if t.service != "" {
		return t.service
	}
	return usual
}
