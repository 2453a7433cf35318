package openapi

import (
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
)

// TestCheck finds what the document does not describe.
func TestCheck(t *testing.T) {
	const version = `{"version":"1","commit":"2"}`
	for _, c := range []struct {
		name, want string
		exchange   Exchange
	}{
		{"as described", "", Exchange{Method: "GET", Path: "/v1/version", Status: 200, Media: "application/json", Response: version}},
		{"an error", "", Exchange{Method: "GET", Path: "/v1/version", Status: 503, Media: "application/json", Response: `{"code":"unavailable","message":"x"}`}},
		{"an escaped name", "", Exchange{Method: "POST", Path: "/v1/containers/a%2Fb/pause", Status: 204}},
		{"no such route", "no such operation", Exchange{Method: "GET", Path: "/v1/nothing", Status: 200}},
		{"no such status", "status is not described", Exchange{Method: "GET", Path: "/v1/version", Status: 204}},
		{"another type", `"/version": value must be a string`, Exchange{Method: "GET", Path: "/v1/version", Status: 200, Media: "application/json", Response: `{"version":1}`}},
		{"a member too many", `"new"`, Exchange{Method: "GET", Path: "/v1/version", Status: 200, Media: "application/json", Response: `{"version":"1","new":1}`}},
		{"a member too few", `"version" is missing`, Exchange{Method: "GET", Path: "/v1/version", Status: 200, Media: "application/json", Response: `{}`}},
		{"an error without a code", `"code" is missing`, Exchange{Method: "GET", Path: "/v1/version", Status: 503, Media: "application/json", Response: `{"message":"x"}`}},
		{"text", "type", Exchange{Method: "GET", Path: "/v1/version", Status: 200, Media: "text/plain", Response: "x"}},
		{"a body where there is none", "no body", Exchange{Method: "POST", Path: "/v1/containers/a/pause", Status: 204, Response: "x"}},
		{"a request", "the request", Exchange{Method: "POST", Path: "/v1/containers/a/rename", Request: `{"nonsense":1}`, Status: 204}},
	} {
		faults, err := Check(api.OpenAPI(), []Exchange{c.exchange})
		got := strings.Join(faults, "\n")
		if err != nil || c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, %v; want %q", c.name, got, err, c.want)
		}
	}
	if _, err := Check([]byte(`{"openapi":"3.0.3"}`), nil); err == nil {
		t.Error("a document that is none: got no error")
	}
}
