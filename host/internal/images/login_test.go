package images

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/images/registry"
	"github.com/davit-run/davit/shared/executor"
)

// TestLogin logs in and out, and pulls in between.
func TestLogin(t *testing.T) {
	f := newRegistry(t)
	f.user = "me:secret"
	f.tags["1"] = sample(t).blobs(t, f.blobs)
	m, _ := openImages(t, t.TempDir())
	pull := func() error {
		_, err := m.Pull(t.Context(), f.host+"/app:1", api.PullOptions{}, nil)
		return err
	}
	if err := pull(); executor.CodeOf(err) != executor.FailedPrecondition || !strings.Contains(err.Error(), "davit login") {
		t.Errorf("before: got %v", err)
	}
	for _, c := range []api.Credentials{{Registry: f.host, User: "me", Password: "wrong"}, {Registry: f.host, User: "you", Password: "secret"}} {
		if _, err := m.Login(t.Context(), c); executor.CodeOf(err) != executor.FailedPrecondition {
			t.Errorf("%s: got %v, want failed precondition", c.User, err)
		}
	}
	file := filepath.Join(os.Getenv("DOCKER_CONFIG"), "config.json")
	if _, err := os.Stat(file); err == nil {
		t.Error("what was refused is kept")
	}
	if done, err := m.Login(t.Context(), api.Credentials{Registry: "http://" + f.host + "/v1/", User: "me", Password: "secret"}); err != nil || done != (api.LoggedIn{Registry: f.host, PlainIn: file}) {
		t.Fatalf("got %+v, %v", done, err)
	}
	if is, err := os.Stat(file); err != nil || is.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want a file of mode 0600", is, err)
	}
	if err := pull(); err != nil {
		t.Errorf("logged in: %v", err)
	}
	if host, err := m.Logout(t.Context(), f.host); err != nil || host != f.host {
		t.Errorf("logout: got %s, %v", host, err)
	}
	if _, err := m.Logout(t.Context(), f.host); executor.CodeOf(err) != executor.NotFound {
		t.Errorf("again: got %v, want not found", err)
	}
	if raw, err := os.ReadFile(file); err != nil || strings.Contains(string(raw), f.host) {
		t.Errorf("after the logout: %s, %v", raw, err)
	}
	f.token = "token" // from a server that wants the password
	if _, err := m.Login(t.Context(), api.Credentials{Registry: f.host, User: "me", Password: "wrong"}); executor.CodeOf(err) != executor.FailedPrecondition {
		t.Errorf("with tokens: got %v, want failed precondition", err)
	}
	if _, err := m.Login(t.Context(), api.Credentials{Registry: f.host, User: "me", Password: "secret"}); err != nil {
		t.Errorf("with tokens: %v", err)
	}
	if err := pull(); err != nil {
		t.Errorf("with tokens, logged in: %v", err)
	}
	for name, want := range map[string]string{"": "docker.io", "https://index.docker.io/v1/": "docker.io", "r:5000": "r:5000", "a b": "", "x": "", "x.y/z": "x.y", "-.x": ""} {
		if got, err := registry.Host(name); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", name, got, err, want)
		}
	}
}

// refusesUser answers a request of somebody else than the registry's user.
func (f *fakeRegistry) refusesUser(w http.ResponseWriter, r *http.Request) bool {
	if name, password, _ := r.BasicAuth(); f.user == "" || name+":"+password == f.user {
		return false
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
	w.WriteHeader(http.StatusUnauthorized)
	return true
}
