package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/api"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// get asks over TCP.
func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

// freeAddress returns an address on which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestMonitoring looks at a host that has one container that runs and one that has ended, with
// the metrics of both addresses, and while one of its backends cannot start.
func TestMonitoring(t *testing.T) {
	s := newSite(t)
	address := freeAddress(t)
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	s.write(string(text) + fmt.Sprintf("metrics {\n  address = %q\n  labels = [\"team\"]\n}\ndebug { pprof = true }\n", address))
	s.serve()
	s.want(0, "hello\n", "", s.program("", "print stdout hello")...)
	id := s.detach("--name web --label team=red", "sleep 60")
	client := api.NewClient(s.socket)
	defer client.Close()
	var b bytes.Buffer
	metrics := func() string {
		b.Reset()
		if err := client.WriteMetrics(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	all := []string{
		`container_processes{backend="a",container_label_team="red",id="` + id + `",image="",name="web",runtime="plain"} 1`,
		`davit_containers{backend="a",state="running"} 1`, `davit_containers{backend="a",state="exited"} 1`,
		`davit_exits_total{backend="a",source="observed"} 1`, `davit_start_duration_seconds_count{backend="a"} 2`,
		`davit_start_step_duration_seconds_count{backend="a",step="create"} 2`,
		`davit_rpc_duration_seconds_count{backend="a",method="create"} 2`,
		`davit_output_bytes_total{stream="stdout"} 6`, "davit_store_commit_errors_total 0",
		`davit_backend_state{backend="b",state="ready"} 1`,
	}
	s.until(func() bool {
		return strings.Contains(metrics(), "container_processes{") && strings.Contains(b.String(), `{backend="b",state="ready"} 1`)
	})
	parser := expfmt.NewTextParser(model.LegacyValidation)
	if _, err := parser.TextToMetricFamilies(bytes.NewReader(b.Bytes())); err != nil {
		t.Error(err)
	}
	for _, want := range all {
		if !strings.Contains(b.String(), want+"\n") {
			t.Errorf("there is no %s", want)
		}
	}
	if t.Failed() {
		t.Log(b.String())
	}
	if status, text := get(t, "http://"+address+"/metrics"); status != 200 || !strings.Contains(text, all[0]) {
		t.Errorf("over TCP: got %d %s", status, text)
	}
	if status, text := get(t, "http://"+address+"/livez"); status != 200 || text != "{\"live\":true}\n" {
		t.Errorf("live: got %d %s", status, text)
	}
	for _, path := range []string{"/v1/containers", "/debug/pprof/heap"} {
		if status, text := get(t, "http://"+address+path); status != 404 {
			t.Errorf("%s over TCP: got %d %s", path, status, text)
		}
	}
	b.Reset()
	if err := client.Profile(t.Context(), "goroutine", api.ProfileOptions{Debug: 1}, &b); err != nil || !strings.HasPrefix(b.String(), "goroutine profile: total ") {
		t.Errorf("profile: got %.40q, %v", &b, err)
	}
	if err := client.Profile(t.Context(), "nothing", api.ProfileOptions{}, io.Discard); err == nil || !strings.Contains(err.Error(), `no profile is named "nothing"; there are allocs,`) {
		t.Errorf("profile of nothing: got %v", err)
	}

	second := s.command("serve", "-c", s.config, "--host", s.socket)
	other := filepath.Join(s.dir, "other.hcl")
	config := strings.NewReplacer(`"state"`, `"state2"`, `"run"`, `"run2"`).Replace(string(text)) + fmt.Sprintf("metrics { address = %q }\n", address)
	if err := os.WriteFile(other, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	second.Args[3] = other
	out, err := second.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "davit: metrics.address: listen tcp "+address+": bind: address already in use; name another one, or none") {
		t.Errorf("a host whose address is taken: %v, %s", err, out)
	}
}

// TestProgramServesTheAPI checks that the program serves what a host alone does not, and that
// it takes profiles only if the config says so.
func TestProgramServesTheAPI(t *testing.T) {
	if missing := api.Unserved((&monitoring{pprof: true}).of(&host.Host{})); len(missing) > 0 {
		t.Errorf("there is no %+v", missing)
	}
	if missing := api.Unserved((&monitoring{}).of(&host.Host{})); len(missing) != 1 || missing[0].Name != "Profile" {
		t.Errorf("by default there is no %+v, want that there are no profiles", missing)
	}
}

// TestReadiness has a backend that cannot start, beside one that can.
func TestReadiness(t *testing.T) {
	s := newSite(t)
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	s.write(string(text) + "backend \"c\" {\n  executor = \"memory\"\n  sha256 = \"" + strings.Repeat("0", 64) + "\"\n}\n")
	s.serve()
	client := api.NewClient(s.socket)
	defer client.Close()
	s.until(func() bool {
		r, err := client.Ready(t.Context(), []string{"a", "b"})
		return err == nil && r.Ready
	})
	var r api.Readiness
	s.until(func() bool { // c has been tried
		r, err = client.Ready(t.Context(), nil)
		return err != nil || len(r.Backends) == 3 && r.Backends[2].Problem != ""
	})
	if err != nil || r.Ready || len(r.Backends) != 3 || !r.Backends[0].Ready || !r.Backends[0].Default || r.Backends[2].Ready || r.Backends[2].Problem == "" || r.Backends[2].Name != "c" {
		raw, _ := json.Marshal(r)
		t.Errorf("got %s, %v", raw, err)
	}
	if _, err := client.Ready(t.Context(), []string{"d"}); err == nil || !strings.Contains(err.Error(), `no backend is named "d"`) {
		t.Errorf("backend d: got %v", err)
	}
	if err := client.Profile(t.Context(), "heap", api.ProfileOptions{}, io.Discard); err == nil || !strings.Contains(err.Error(), "does not serve GET /debug/pprof/{profile}") {
		t.Errorf("a profile that the config does not allow: got %v", err)
	}
}
