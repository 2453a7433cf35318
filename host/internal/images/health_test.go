package images

import (
	"encoding/json"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestHealthOf reads what docker's builder makes of HEALTHCHECK.
func TestHealthOf(t *testing.T) {
	for config, want := range map[string]string{
		`{}`:                            `null`,
		`{"config":{"Cmd":["x"]}}`:      `null`,
		`{"config":{"Healthcheck":{}}}`: `null`,
		`{"config":{"Healthcheck":{"Test":["NONE"]}}}`:                                                                    `{"none":true}`,
		`{"config":{"Healthcheck":{"Test":["CMD","a","b"],"Interval":30000000000}}}`:                                      `{"command":["a","b"],"interval":"30s"}`,
		`{"config":{"Healthcheck":{"Test":["CMD-SHELL","a b"],"Retries":7}}}`:                                             `{"command":["/bin/sh","-c","a b"],"retries":7}`,
		`{"config":{"Shell":["ash","-ec"],"Healthcheck":{"Test":["CMD-SHELL","a"]}}}`:                                     `{"command":["ash","-ec","a"]}`,
		`{"config":{"Healthcheck":{"Test":["CMD","a"],"StartPeriod":1000000,"StartInterval":2000000,"Timeout":3000000}}}`: `{"command":["a"],"timeout":"3ms","start_period":"1ms","start_interval":"2ms"}`,
	} {
		h, err := healthOf([]byte(config))
		got, jerr := json.Marshal(h)
		if err != nil || jerr != nil || string(got) != want {
			t.Errorf("%s: got %s, %v, %v, want %s", config, got, err, jerr, want)
		}
	}
	for _, config := range []string{
		`{"config":{"Healthcheck":{"Test":["CMD"]}}}`, `{"config":{"Healthcheck":{"Test":["a"]}}}`, `{"config":{"Healthcheck":{"Test":"a"}}}`,
		`{"config":{"Healthcheck":{"Test":["CMD","a"],"Interval":-1}}}`, `{"config":{"Healthcheck":{"Test":["CMD","a"],"Retries":-1}}}`, `[]`,
	} {
		if h, err := healthOf([]byte(config)); executor.CodeOf(err) != executor.Invalid {
			t.Errorf("%s: got %+v, %v, want invalid", config, h, err)
		}
	}
}

// TestCompleteHealth overrides single fields of an image's health check.
func TestCompleteHealth(t *testing.T) {
	const image = `{"command":["image"],"interval":"1s","timeout":"2s","retries":3,"start_period":"4s","start_interval":"5s"}`
	for _, tt := range []struct{ own, image, want string }{
		{`null`, `null`, `null`},
		{`null`, image, image},
		{`{"none":true}`, image, `{"none":true}`},
		{`{"retries":9}`, `null`, `{"retries":9}`},
		{`{"retries":9}`, `{"none":true}`, `{"retries":9}`},
		{`{"retries":9,"start_period":"0s"}`, image, `{"command":["image"],"interval":"1s","timeout":"2s","retries":9,"start_period":"0s","start_interval":"5s"}`},
		{`{"command":["own"],"interval":"9s"}`, image, `{"command":["own"],"interval":"9s","timeout":"2s","retries":3,"start_period":"4s","start_interval":"5s"}`},
		{`{"tcp":"80","timeout":"9s"}`, image, `{"tcp":"80","interval":"1s","timeout":"9s","retries":3,"start_period":"4s","start_interval":"5s"}`},
	} {
		var own, of *api.HealthCheck
		for to, text := range map[**api.HealthCheck]string{&own: tt.own, &of: tt.image} {
			if err := json.Unmarshal([]byte(text), to); err != nil {
				t.Fatal(err)
			}
		}
		got, err := json.Marshal(completeHealth(own, of))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s over %s: got %s, %v, want %s", tt.own, tt.image, got, err, tt.want)
		}
	}
}

// One that cannot be used is an error, unless there is to be none.
func TestCompleteWithBadHealth(t *testing.T) {
	use := &Use{config: &v1.ImageConfig{Cmd: []string{"x"}}, healthErr: executor.Errorf(executor.Invalid, "its health check")}
	if err := use.Complete(new(api.ContainerOptions)); executor.CodeOf(err) != executor.Invalid {
		t.Errorf("got %v", err)
	}
	if err := use.Complete(&api.ContainerOptions{HealthCheck: &api.HealthCheck{None: true}}); err != nil {
		t.Errorf("without: got %v", err)
	}
}
