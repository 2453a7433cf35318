package metrics

import (
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/prometheus/client_golang/prometheus"
)

// observations counts what the host tells. It is the part of a Metrics that is a
// [host.Observer].
type observations struct {
	calls      *prometheus.HistogramVec
	callErrors *prometheus.CounterVec
	steps      *prometheus.HistogramVec
	starts     *prometheus.HistogramVec
	startFails *prometheus.CounterVec
	exits      *prometheus.CounterVec
	written    *prometheus.CounterVec
	dropped    *prometheus.CounterVec
	lost       *prometheus.CounterVec
	commits    prometheus.Histogram
	commitErrs prometheus.Counter
}

// Bounds of buckets, in seconds.
var (
	// Calls and starts take milliseconds; hooks and pulls of a runtime take minutes.
	latencies = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}
	// A commit takes what the disk takes to sync.
	syncs = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}
)

func newObservations() *observations {
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: latencies}, labels)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	return &observations{
		calls:      histogram("davit_rpc_duration_seconds", "How long the host waited for the answers of executors.", "backend", "method"),
		callErrors: counter("davit_rpc_errors_total", "Calls of executors that failed, by the code of the error.", "backend", "method", "code"),
		steps:      histogram("davit_start_step_duration_seconds", "How long the steps of containers' starts took.", "backend", "step"),
		starts:     histogram("davit_start_duration_seconds", "How long the starts of containers took that succeeded.", "backend"),
		startFails: counter("davit_start_failures_total", "Starts of containers that failed, by the code of the error.", "backend", "code"),
		exits:      counter("davit_exits_total", "Ends of containers, by how they are known.", "backend", "source"),
		written:    counter("davit_output_bytes_total", "Output that containers have written.", "stream"),
		dropped:    counter("davit_output_dropped_bytes_total", "Oldest output that was dropped to keep its limit.", "stream"),
		lost:       counter("davit_output_lost_bytes_total", "Output that could not be written, mostly because the disk was full.", "stream"),
		commits:    prometheus.NewHistogram(prometheus.HistogramOpts{Name: "davit_store_commit_duration_seconds", Help: "How long commits of the host's state took.", Buckets: syncs}),
		commitErrs: prometheus.NewCounter(prometheus.CounterOpts{Name: "davit_store_commit_errors_total", Help: "Commits of the host's state that failed."}),
	}
}

func (o *observations) all() []prometheus.Collector {
	return []prometheus.Collector{o.calls, o.callErrors, o.steps, o.starts, o.startFails, o.exits, o.written, o.dropped, o.lost, o.commits, o.commitErrs}
}

// Describe implements prometheus.Collector.
func (o *observations) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range o.all() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (o *observations) Collect(ch chan<- prometheus.Metric) {
	for _, c := range o.all() {
		c.Collect(ch)
	}
}

// expect makes the series that are known to come, so that the first event changes one instead
// of beginning one: nobody sees the rate of what begins at 1.
func (o *observations) expect(backends []api.BackendInfo) {
	for _, b := range backends {
		for _, source := range []executor.Provenance{executor.Observed, executor.Recovered, executor.Lost} {
			o.exits.WithLabelValues(b.Name, string(source))
		}
		o.starts.WithLabelValues(b.Name)
	}
	for _, s := range []api.Stream{api.Stdout, api.Stderr} {
		for _, c := range []*prometheus.CounterVec{o.written, o.dropped, o.lost} {
			c.WithLabelValues(s.String())
		}
	}
}

// codeOf returns the code of an error as a label. Executors can send any text as a code.
func codeOf(err error) string {
	switch code := executor.CodeOf(err); code {
	case executor.NotFound, executor.AlreadyExists, executor.Invalid, executor.FailedPrecondition, executor.Unavailable, executor.Unsupported,
		executor.OutcomeUnknown, executor.CommandNotFound, executor.CommandNotExecutable, executor.DeadlineExceeded, executor.Canceled:
		return string(code)
	}
	return string(executor.Internal)
}

// sourceOf returns how an end is known, as a label.
func sourceOf(source executor.Provenance) string {
	switch source {
	case executor.Observed, executor.Recovered:
		return string(source)
	}
	return string(executor.Lost)
}

// Called implements host.Observer.
func (o *observations) Called(backend, method string, took time.Duration, err error) {
	o.calls.WithLabelValues(backend, method).Observe(took.Seconds())
	if err != nil {
		o.callErrors.WithLabelValues(backend, method, codeOf(err)).Inc()
	}
}

// Stepped implements host.Observer.
func (o *observations) Stepped(backend, step string, took time.Duration) {
	o.steps.WithLabelValues(backend, step).Observe(took.Seconds())
}

// Started implements host.Observer.
func (o *observations) Started(backend string, took time.Duration, err error) {
	if err != nil {
		o.startFails.WithLabelValues(backend, codeOf(err)).Inc()
		return
	}
	o.starts.WithLabelValues(backend).Observe(took.Seconds())
}

// Exited implements host.Observer.
func (o *observations) Exited(backend string, source executor.Provenance) {
	o.exits.WithLabelValues(backend, sourceOf(source)).Inc()
}

// Output implements host.Observer.
func (o *observations) Output(stream api.Stream, written, dropped, lost int64) {
	o.written.WithLabelValues(stream.String()).Add(float64(written))
	o.dropped.WithLabelValues(stream.String()).Add(float64(dropped))
	o.lost.WithLabelValues(stream.String()).Add(float64(lost))
}

// Committed implements host.Observer.
func (o *observations) Committed(took time.Duration, err error) {
	o.commits.Observe(took.Seconds())
	if err != nil {
		o.commitErrs.Inc()
	}
}
