package registry

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

// station is a registry that answers each request with its name, or with a status.
type station struct {
	*httptest.Server
	name   string
	status int
	asked  []string
	header http.Header
}

func newStation(t *testing.T, name string, start func(http.Handler) *httptest.Server) *station {
	s := &station{name: name, status: http.StatusOK}
	s.Server = start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked, s.header = append(s.asked, r.URL.String()), r.Header
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, name)
	}))
	t.Cleanup(s.Close)
	s.Config.ErrorLog = nil
	return s
}

// certs makes a directory for hosts with files, by HOST/NAME.
func certs(t *testing.T, files map[string]string) {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	old := certsDirs
	certsDirs = []string{filepath.Join(t.TempDir(), "no"), t.TempDir()}
	t.Cleanup(func() { certsDirs = old })
	for name, content := range files {
		at := filepath.Join(certsDirs[1], name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func repository(t *testing.T, host string) *Repository {
	t.Helper()
	named, err := reference.ParseNormalizedNamed(host + "/team/app")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(named, Pull)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestMirrors asks mirrors in the order of the file, each for what it can, and then the registry.
func TestMirrors(t *testing.T) {
	first, second := newStation(t, "first", httptest.NewServer), newStation(t, "second", httptest.NewServer)
	own := newStation(t, "own", httptest.NewServer)
	certs(t, map[string]string{"registry.example/hosts.toml": fmt.Sprintf(`
server = %q
[host.%q]
  capabilities = ["pull"]
  [host.%[2]q.header]
    x-team = ["a", "b"]
[host.%[3]q]
  capabilities = ["pull", "resolve"]
  override_path = true
`, own.URL, first.URL, second.URL+"/cache")})
	manifest := func(r *Repository, ref, want string) {
		t.Helper()
		if got, err := r.Manifest(t.Context(), ref, 0); err != nil || string(got) != want {
			t.Errorf("manifest %s: got %q, %v, want %q", ref, got, err, want)
		}
	}
	r := repository(t, "registry.example")
	manifest(r, "latest", "second")
	manifest(r, digest.FromString("first").String(), "first")
	if got := first.asked[0]; got != "/v2/team/app/manifests/"+digest.FromString("first").String()+"?ns=registry.example" || len(first.header["X-Team"]) != 2 {
		t.Errorf("the first was asked %s with %v", got, first.header)
	}
	if got := second.asked[0]; got != "/cache/team/app/manifests/latest?ns=registry.example" {
		t.Errorf("the second was asked %s", got)
	}
	second.status = http.StatusNotFound
	manifest(r, "latest", "own")
	if got := own.asked[0]; got != "/v2/team/app/manifests/latest" {
		t.Errorf("the registry was asked %s", got)
	}
	second.Close()
	n := len(first.asked)
	manifest(r, "latest", "own")
	var blob strings.Builder
	if err := r.Blob(t.Context(), digest.FromString("x"), 0, &blob); err != nil || blob.String() != "first" || len(first.asked) != n+1 {
		t.Errorf("blob: got %q, %v", blob.String(), err)
	}
	own.status = http.StatusNotFound
	_, err := repository(t, "registry.example").Manifest(t.Context(), "latest", 0)
	if executor.CodeOf(err) != executor.NotFound || !strings.Contains(err.Error(), "mirrors") || !strings.Contains(err.Error(), strings.TrimPrefix(second.URL, "http://")) {
		t.Errorf("nobody has it: got %v", err)
	}
}

// TestOwnAuthorities trusts what a directory says, and for that registry alone.
func TestOwnAuthorities(t *testing.T) {
	s := newStation(t, "secure", httptest.NewTLSServer)
	host := strings.Replace(strings.TrimPrefix(s.URL, "https://"), "127.0.0.1", "example.com", 1)
	address := strings.Replace(s.URL, "https://", "", 1)
	authority := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	server := fmt.Sprintf("server = %q\n", s.URL)
	underscores := strings.Replace(host, ":", "_", 1) + "_"
	for name, files := range map[string]map[string]string{
		"docker's":   {address + "/ca.crt": authority},
		"ca":         {host + "/hosts.toml": server + `ca = "own.pem"`, host + "/own.pem": authority},
		"a list":     {underscores + "/hosts.toml": server + `ca = ["own.pem"]`, underscores + "/own.pem": authority},
		"any":        {"_default/hosts.toml": server + "skip_verify = true"},
		"no":         {host + "/hosts.toml": server},
		"of another": {"other.example/hosts.toml": server + "skip_verify = true", host + "/hosts.toml": server},
	} {
		t.Run(name, func(t *testing.T) {
			certs(t, files)
			asked := host
			if name == "docker's" {
				asked = address
			}
			named, err := reference.ParseNormalizedNamed(asked + "/a")
			if err != nil {
				t.Fatal(err)
			}
			r, err := Open(named, Pull)
			if err != nil {
				t.Fatal(err)
			}
			if name == "docker's" { // it is on this machine
				r.base = strings.Replace(r.base, "http://", "https://", 1)
			}
			r.client = r.once // without trying again
			_, err = r.Manifest(t.Context(), "latest", 0)
			if bad := name == "no" || name == "of another"; (err != nil) != bad || bad && !strings.Contains(err.Error(), "certificate") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestBadHosts reads files that say nothing that can be followed.
func TestBadHosts(t *testing.T) {
	for text, want := range map[string]string{
		`server = "ftp://x"`:                                       `"ftp://x" is not a URL`,
		`server = 1`:                                               "hosts.toml",
		`sever = "https://x"`:                                      "sever",
		"[host.\"https://x\"]\nskip_verfy = true":                  "skip_verfy",
		"[host.\"https://x\"]\ncapabilities = [\"pul\"]":           `capability "pul"`,
		"[host.\"https://u:p@x\"]":                                 "is not a URL",
		`ca = "missing.pem"`:                                       "missing.pem",
		`ca = "hosts.toml"`:                                        "has no certificate in PEM",
		`ca = 1`:                                                   "neither a text nor a list",
		`client = [["a", "b", "c"]]`:                               "is not a certificate and its key",
		`client = "missing.pem"`:                                   "missing.pem",
		"[host.\"https://x\"]\ndial_timeout = \"often\"":           "dial_timeout",
		"[host.\"https://x\"]\n[host.\"https://x\".header]\na = 1": `header "a"`,
		"[": "hosts.toml",
	} {
		certs(t, map[string]string{"registry.example/hosts.toml": text})
		named, _ := reference.ParseNormalizedNamed("registry.example/a")
		_, err := Open(named, Pull)
		if executor.CodeOf(err) != executor.FailedPrecondition || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "registry.example") {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}
