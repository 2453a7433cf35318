package api

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// TestHealthAddresses checks and completes where probes go.
func TestHealthAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"80": "127.0.0.1:80", ":80": "127.0.0.1:80", "localhost:80": "127.0.0.1:80", "10.1.2.3:80": "10.1.2.3:80", "[::1]:80": "[::1]:80",
		"x": "", "0": "", "65536": "", "-1": "", "80:": "", "::1:80": "", "example:80": "", "1.2.3:80": "", "[::1]": "",
	} {
		h := HealthCheck{TCP: text}
		if err := h.Validate(); (err == nil) != (want != "") || h.Resolved().TCP != want {
			t.Errorf("TCP %s: got %q, %v, want %q", text, h.Resolved().TCP, err, want)
		}
	}
	for text, want := range map[string]string{
		":80": "http://127.0.0.1:80/", ":80/a?b=c": "http://127.0.0.1:80/a?b=c", "http://localhost": "http://127.0.0.1:80/", "https://[::1]/x": "https://[::1]:443/x",
		"80": "", "x": "", "ftp://127.0.0.1/": "", "http://example/": "", "http://": "http://127.0.0.1:80/", "http://127.0.0.1:x/": "", ":/": "http://127.0.0.1:80/", "unix:/x": "",
	} {
		h := HealthCheck{HTTP: text}
		if err := h.Validate(); (err == nil) != (want != "") || h.Resolved().HTTP != want {
			t.Errorf("HTTP %s: got %q, %v, want %q", text, h.Resolved().HTTP, err, want)
		}
	}
}

func TestHealthCheckErrors(t *testing.T) {
	for want, h := range map[string]HealthCheck{
		"more than one":   {TCP: "80", Command: []string{"x"}},
		"to be none":      {None: true, StartPeriod: new(time.Duration)},
		"interval":        {Interval: -time.Second},
		"start period":    {StartPeriod: new(time.Microsecond)},
		"at least 1":      {Retries: -1},
		"is empty":        {Command: []string{""}},
		"put it into a s": {Command: []string{"x", strings.Repeat("y", 20_000)}},
	} {
		o := ContainerOptions{Image: "x", HealthCheck: &h}
		if err := o.Validate(); executor.CodeOf(err) != executor.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestHealthCheckText sends a check through a request and an answer.
func TestHealthCheckText(t *testing.T) {
	check := &HealthCheck{Command: []string{"a", "b"}, Interval: 90 * time.Second, Timeout: time.Second, Retries: 4, StartPeriod: new(time.Duration), StartInterval: time.Minute}
	var got *HealthCheck
	c, _ := serveFake(t, &fake{create: func(_ context.Context, o ContainerOptions) (Container, error) {
		got = o.HealthCheck
		return Container{ID: "c", HealthCheck: o.HealthCheck, Health: &Health{Status: HealthStarting}}, nil
	}})
	made, err := c.Create(t.Context(), ContainerOptions{Image: "i", HealthCheck: check})
	if err != nil || !reflect.DeepEqual(got, check) || !reflect.DeepEqual(made.HealthCheck, check) || made.Health.Status != HealthStarting {
		t.Errorf("the host got %+v, the client %+v, %v", got, made, err)
	}
	text, err := json.Marshal(check)
	if want := `{"command":["a","b"],"interval":"1m30s","timeout":"1s","retries":4,"start_period":"0s","start_interval":"1m0s"}`; err != nil || string(text) != want {
		t.Errorf("got %s, %v, want %s", text, err, want)
	}
	// Requests with unknown fields are refused, answers of later hosts are not.
	var r createRequest
	dec := json.NewDecoder(strings.NewReader(`{"health_check":{"comand":["x"]}}`))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err == nil {
		t.Error("an unknown field is accepted")
	}
	if err := json.Unmarshal([]byte(`{"health_check":{"later":1,"retries":2}}`), &made); err != nil || made.HealthCheck.Retries != 2 {
		t.Errorf("a later field: got %+v, %v", made.HealthCheck, err)
	}
}
