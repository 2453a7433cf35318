package metrics

import (
	"bytes"
	"context"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// fakeHost is a host with some containers.
type fakeHost struct {
	backends   []api.BackendInfo
	containers []api.Container
	stats      func(ctx context.Context, id string) (api.Stats, error)
	err        error
}

func (f *fakeHost) Backends() ([]api.BackendInfo, error)             { return f.backends, f.err }
func (f *fakeHost) List(...api.ListOptions) ([]api.Container, error) { return f.containers, nil }
func (f *fakeHost) Stats(ctx context.Context, id string) (api.Stats, error) {
	return f.stats(ctx, id)
}

func (f *fakeHost) Traffic(string) ([]api.Traffic, error) {
	return []api.Traffic{{Interface: "eth0", Network: "default", Received: api.LinkCount{Bytes: 11, Packets: 1}, Sent: api.LinkCount{Bytes: 22, Packets: 2}}}, nil
}

// whole is a measurement of which everything is known.
func whole(context.Context, string) (api.Stats, error) {
	var s api.Stats
	s.Stats = executor.Stats{
		At: time.Unix(1000, 0), PIDs: []int{1, 2}, CPU: new(1500 * time.Millisecond), Memory: new(uint64(10)), MemoryUsage: new(uint64(20)), MemoryLimit: new(uint64(30)),
		Tasks: new(uint64(3)), TasksLimit: new(uint64(4)), BlockRead: new(uint64(5)), BlockWritten: new(uint64(6)),
	}
	return s, nil
}

// example returns a host with two backends, and two containers that run.
func example() *fakeHost {
	return &fakeHost{
		backends: []api.BackendInfo{{Name: "good", State: api.BackendReady, Starts: 3, Attaches: 1}, {Name: "other", State: api.BackendReady, Attaches: 1}},
		containers: []api.Container{
			{ID: "a1", Name: "web", Image: "busybox", Backend: "good", Runtime: "runc", State: api.StateRunning, StartedAt: time.Unix(500, 0), Labels: map[string]string{"team.x": "red", "secret": "s"}},
			{ID: "b2", Backend: "other", State: api.StatePaused, StartedAt: time.Unix(600, 0), Addresses: []api.Address{{Network: "default"}}},
			{ID: "c3", Backend: "other", State: api.StateExited},
		},
		stats: whole,
	}
}

// observed returns metrics that have seen each event once.
func observed(t *testing.T, opts Options) *Metrics {
	t.Helper()
	m, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	m.Called("good", "create", time.Second, nil)
	m.Called("good", "create", time.Second, executor.Errorf(executor.Invalid, "no"))
	m.Stepped("good", "files", time.Millisecond)
	m.Started("good", time.Second, nil)
	m.Started("good", time.Second, errors.New("no"))
	m.Exited("good", executor.Lost)
	m.Output(api.Stdout, 5, 3, 2)
	m.Committed(time.Millisecond, nil)
	m.Committed(time.Millisecond, errors.New("no"))
	return m
}

// scrape returns what a host answers, as a parser of Prometheus reads it.
func scrape(t *testing.T, m *Metrics, h Host) (families map[string]*dto.MetricFamily, text string) {
	t.Helper()
	var b bytes.Buffer
	if err := m.Write(t.Context(), h, &b); err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(b.String()))
	if err != nil {
		t.Fatalf("%v\n%s", err, &b)
	}
	return families, b.String()
}

func TestValues(t *testing.T) {
	_, text := scrape(t, observed(t, Options{Build: api.Version{Version: "1.2.3", Commit: "abc", Go: "go1"}, Labels: []string{"team.x"}}), example())
	const a = `{backend="good",container_label_team_x="red",id="a1",image="busybox",name="web",runtime="runc"}`
	const b = `{backend="other",container_label_team_x="",id="b2",image="",interface="eth0",name="",runtime=""}`
	for _, want := range []string{
		`davit_build_info{commit="abc",go="go1",version="1.2.3"} 1`,
		"container_cpu_usage_seconds_total" + a + " 1.5",
		"container_memory_usage_bytes" + a + " 20",
		"container_memory_working_set_bytes" + a + " 10",
		"container_spec_memory_limit_bytes" + a + " 30",
		"container_processes" + a + " 2",
		"container_threads" + a + " 3",
		"container_threads_max" + a + " 4",
		"container_fs_reads_bytes_total" + a + " 5",
		"container_fs_writes_bytes_total" + a + " 6",
		"container_start_time_seconds" + a + " 500",
		"container_last_seen" + a + " 1000",
		"container_network_receive_bytes_total" + b + " 11",
		"container_network_transmit_packets_total" + b + " 2",
		`davit_containers{backend="other",state="paused"} 1`,
		`davit_containers{backend="other",state="exited"} 1`,
		`davit_containers{backend="good",state="failed"} 0`,
		`davit_backend_state{backend="good",state="ready"} 1`,
		`davit_backend_state{backend="good",state="failed"} 0`,
		`davit_executor_restarts_total{backend="good"} 3`,
		`davit_executor_restarts_total{backend="other"} 0`,
		`davit_scrape_errors{backend="good"} 0`,
		`davit_rpc_duration_seconds_count{backend="good",method="create"} 2`,
		`davit_rpc_errors_total{backend="good",code="invalid",method="create"} 1`,
		`davit_start_duration_seconds_count{backend="good"} 1`,
		`davit_start_duration_seconds_count{backend="other"} 0`,
		`davit_start_failures_total{backend="good",code="internal"} 1`,
		`davit_exits_total{backend="good",source="lost"} 1`,
		`davit_exits_total{backend="other",source="observed"} 0`,
		`davit_output_bytes_total{stream="stdout"} 5`,
		`davit_output_dropped_bytes_total{stream="stdout"} 3`,
		`davit_output_lost_bytes_total{stream="stdout"} 2`,
		`davit_output_bytes_total{stream="stderr"} 0`,
		"davit_store_commit_duration_seconds_count 2",
		"davit_store_commit_errors_total 1",
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("there is no %s", want)
		}
	}
	if strings.Contains(text, "secret") || strings.Contains(text, `id="c3"`) {
		t.Error("a label that is not allowed, or a container that does not run, has metrics")
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestLint has Prometheus's own linter look at all metrics.
func TestLint(t *testing.T) {
	_, text := scrape(t, observed(t, Options{}), example())
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestDocumented holds the page against what there is, both ways.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../cmd/davit/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	type row struct{ kind, labels string }
	documented := map[string]row{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([a-z]+) \\| ([^|]*) \\| [^|]+ \\|$").FindAllStringSubmatch(string(page), -1) {
		documented[m[1]] = row{m[2], strings.ReplaceAll(m[3], "`", "")}
	}
	families, _ := scrape(t, observed(t, Options{}), example())
	for name, f := range families {
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			continue // of the library
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		slices.Sort(labels)
		want := row{strings.ToLower(f.GetType().String()), strings.Join(labels, ", ")}
		got, ok := documented[name]
		got.labels = strings.ReplaceAll(got.labels, "container", strings.Join(slices.Sorted(slices.Values(containerLabels)), ", "))
		sorted := strings.Split(got.labels, ", ")
		slices.Sort(sorted)
		if got.labels = strings.Join(sorted, ", "); !ok || got != want {
			t.Errorf("%s: the page says %+v, want %+v", name, got, want)
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("%s is documented, and there is none", name)
	}
}

// TestHangingBackend scrapes while one backend answers nothing, and another is down. It costs
// the figures of their containers, and nothing else.
func TestHangingBackend(t *testing.T) {
	h := example()
	h.backends = append(h.backends, api.BackendInfo{Name: "down", State: api.BackendFailed})
	h.containers = append(h.containers, api.Container{ID: "d4", Backend: "down", State: api.StateUnknown})
	for range 3 * parallel {
		h.containers = append(h.containers, api.Container{ID: "h", Name: strings.Repeat("x", len(h.containers)), Backend: "other", State: api.StateRunning})
	}
	h.stats = func(ctx context.Context, id string) (api.Stats, error) {
		switch id {
		case "a1":
			return whole(ctx, id)
		case "d4":
			t.Error("a backend that is down was asked")
		}
		<-ctx.Done()
		return api.Stats{}, executor.Errorf(executor.OutcomeUnknown, "stats: %w", ctx.Err())
	}
	m := observed(t, Options{Patience: 50 * time.Millisecond})
	_, text := scrape(t, m, h)
	for _, want := range []string{
		`davit_scrape_errors{backend="good"} 0`, `davit_scrape_errors{backend="other"} 25`, `davit_scrape_errors{backend="down"} 1`,
		`container_memory_usage_bytes{backend="good",id="a1",image="busybox",name="web",runtime="runc"} 20`,
		`davit_containers{backend="down",state="unknown"} 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("there is no %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, `container_memory_usage_bytes{backend="other"`) {
		t.Error("there are figures of a backend that hangs")
	}
}

// TestEndedMeanwhile asks for containers that end before they are measured, and for one that
// cannot be measured at all. Neither is an error.
func TestEndedMeanwhile(t *testing.T) {
	h := example()
	h.stats = func(_ context.Context, id string) (api.Stats, error) {
		if id == "a1" {
			return api.Stats{}, executor.FailedPrecondition
		}
		return api.Stats{}, executor.Unsupported
	}
	_, text := scrape(t, observed(t, Options{}), h)
	if strings.Contains(text, "container_memory") || !strings.Contains(text, `davit_scrape_errors{backend="good"} 0`) || !strings.Contains(text, `davit_scrape_errors{backend="other"} 0`) {
		t.Error(text)
	}
	if !strings.Contains(text, `container_start_time_seconds{backend="good"`) || !strings.Contains(text, `container_network_receive_bytes_total{backend="other"`) {
		t.Errorf("what is known without the backend is missing in\n%s", text)
	}
}

// TestManyScrapes checks that scrapes do not disturb each other, and that none is made without
// a host.
func TestManyScrapes(t *testing.T) {
	m := observed(t, Options{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			m.Called("good", "list", 0, nil)
			if err := m.Write(t.Context(), example(), &bytes.Buffer{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var b bytes.Buffer
	if err := m.Write(t.Context(), &fakeHost{err: executor.Unavailable}, &b); !errors.Is(err, executor.Unavailable) || b.Len() > 0 {
		t.Errorf("a host without its state: got %v and %q", err, &b)
	}
	m.turn <- struct{}{} // somebody else's scrape, which does not end
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Write(ctx, example(), &b); !errors.Is(err, context.Canceled) {
		t.Errorf("a client that has gone: got %v", err)
	}
}

// TestOddText has labels, names and images that are no words.
func TestOddText(t *testing.T) {
	h := example()
	h.containers[0].Name, h.containers[0].Image, h.containers[0].Labels = "a\"b\\\n", "\xff", map[string]string{"ä.x/y": "} 1\nup 2"}
	m := observed(t, Options{Labels: []string{"ä.x/y"}})
	m.Called("good", "list", 0, executor.Errorf("\xff\n", "an executor of the wrong kind"))
	m.Exited("good", "\xff")
	families, text := scrape(t, m, h)
	if !strings.Contains(text, `davit_rpc_errors_total{backend="good",code="internal",method="list"} 1`) || !strings.Contains(text, `davit_exits_total{backend="good",source="lost"} 2`) {
		t.Errorf("codes of others: got\n%s", text)
	}
	if families["up"] != nil {
		t.Error("a label has made a metric")
	}
	labels := map[string]string{}
	for _, l := range families["container_start_time_seconds"].GetMetric()[0].GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	if labels["name"] != "a\"b\\\n" || labels["image"] != "\uFFFD" || labels["container_label___x_y"] != "} 1\nup 2" && labels["container_label__x_y"] != "} 1\nup 2" {
		t.Errorf("got %q", labels)
	}
	if _, err := New(Options{Labels: []string{"a.b", "a-b"}}); err == nil {
		t.Error("two labels with one name are accepted")
	}
}

func BenchmarkScrape(b *testing.B) {
	h := example()
	h.containers = nil
	for i := range 1000 {
		h.containers = append(h.containers, api.Container{ID: strings.Repeat("f", 12) + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676)), Backend: "good", State: api.StateRunning, StartedAt: time.Unix(1, 0)})
	}
	m, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var out bytes.Buffer
		if err := m.Write(b.Context(), h, &out); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(out.Len()))
	}
}
