package api

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

// accessFunc is an Access.
type accessFunc func(*Caller, *Asked) error

func (f accessFunc) Allow(_ context.Context, caller *Caller, asked *Asked) error {
	return f(caller, asked)
}

// TestAccess asks over a socket: who asks is known, and what is refused reaches no host.
func TestAccess(t *testing.T) {
	dir := shortDir(t)
	l, err := Listen(socketIn(dir))
	if err != nil {
		t.Fatal(err)
	}
	var callers []Caller
	access := accessFunc(func(caller *Caller, asked *Asked) error {
		if caller == nil {
			t.Errorf("%s: nobody knows who asks", asked.Route)
		} else {
			callers = append(callers, *caller)
		}
		if asked.Route == "Inspect" {
			return nil
		}
		return Denied("%s needs a rule", asked.Route)
	})
	f := &fake{inspect: func(reference string) (Container, error) { return Container{ID: reference}, nil }}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, f, Options{Access: access}) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	c := NewClient(filepath.Join(dir, "davit.sock"))
	defer c.Close()
	if _, err := c.Inspect(t.Context(), "x"); err != nil {
		t.Error(err)
	}
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(groups)
	if len(callers) != 1 || callers[0].UID != os.Geteuid() || callers[0].GID != os.Getegid() || !callers[0].Almighty() {
		t.Errorf("got %+v", callers)
	}
	if got := slices.Sorted(slices.Values(callers[0].Groups)); !slices.Equal(got, groups) {
		t.Errorf("got the groups %v, want %v", got, groups)
	}
	for name, ask := range map[string]func() error{
		"Create": func() error { _, err := c.Create(t.Context(), ContainerOptions{Rootfs: "/x"}); return err },
		"Logs": func() error {
			return c.Logs(t.Context(), "x", LogOptions{}, func(Stream, []byte) error { return nil })
		},
		"CopyTo": func() error { return c.CopyTo(t.Context(), "x", CopyToOptions{}, strings.NewReader("a tar stream")) },
		"ExecAttached": func() error {
			_, err := c.ExecAttached(t.Context(), "x", ExecOptions{Args: []string{"a"}}, Streams{})
			return err
		},
	} {
		err := ask()
		var denied *DeniedError
		if !errors.As(err, &denied) || executor.CodeOf(err) != executor.FailedPrecondition || err.Error() != name+" needs a rule" {
			t.Errorf("%s: got %T %v", name, err, err)
		}
	}
	if a := raw(t, c, http.MethodPost, "/v1/containers", `{}`); a.status != http.StatusForbidden || !strings.Contains(a.body, `"denied":true`) {
		t.Errorf("got %+v", a)
	}
}

// TestAsked finds in a request what rules look at.
func TestAsked(t *testing.T) {
	request := &runStreamsRequest{Client: "c"}
	request.Rootfs, request.Process.Args, request.StopSignal = "/r", []string{"a"}, 9
	request.HealthCheck = &healthCheckText{TCP: "80"}
	asked := NewAsked("RunStreams", request, nil)
	if got, want := asked.Set(), []string{"client", "health_check.tcp", "process.args", "rootfs", "stop_signal"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if Part[ContainerOptions](asked) != &request.ContainerOptions || Part[ExecOptions](asked) != nil {
		t.Error("the options are not found")
	}
	if got := asked.Text("client"); got == nil || *got != "c" || asked.Text("none") != nil || asked.Text("rootfs") != &request.Rootfs {
		t.Errorf("got %v", got)
	}
	for _, name := range asked.Set() {
		if !slices.Contains(ParametersOf("RunStreams"), name) {
			t.Errorf("%s is no parameter", name)
		}
	}
	if _, err := asked.Inspect("x"); executor.CodeOf(err) != executor.Unsupported {
		t.Errorf("got %v", err)
	}
	if _, err := asked.DefaultRuntime(t.Context(), "x"); executor.CodeOf(err) != executor.Unsupported {
		t.Errorf("got %v", err)
	}
}

// TestAccessOfStrangers: without a socket nobody knows who asks, and monitoring is for all.
func TestAccessOfStrangers(t *testing.T) {
	var log bytes.Buffer
	h := NewHandler(&fake{}, Options{Logger: warner{&log}, Access: accessFunc(func(caller *Caller, _ *Asked) error {
		if caller != nil {
			t.Errorf("got %+v", caller)
		}
		return Denied("no")
	})})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/version", nil))
	if w.Code != http.StatusForbidden || !strings.Contains(log.String(), "a request was refused route Version") {
		t.Errorf("got %d %s, and the log %q", w.Code, w.Body, log.String())
	}
}

// warner is a Logger that has warnings.
type warner struct{ log *bytes.Buffer }

func (warner) Debug(string, ...any) {}
func (warner) Error(string, ...any) {}
func (w warner) Warn(message string, pairs ...any) {
	w.log.WriteString(message)
	for _, p := range pairs {
		w.log.WriteString(" ")
		if s, ok := p.(string); ok {
			w.log.WriteString(s)
		}
	}
}
