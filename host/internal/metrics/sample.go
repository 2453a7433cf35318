package metrics

import (
	"slices"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/prometheus/client_golang/prometheus"
)

// sample is a Collector of one snapshot.
type sample struct {
	*figures
	snapshot
}

// Describe implements prometheus.Collector.
func (s sample) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range s.figures.containers {
		ch <- f.desc
	}
	for _, f := range s.flows {
		ch <- f.desc
	}
	for _, d := range []*prometheus.Desc{s.states, s.backendStates, s.starts, s.attaches, s.restarts, s.failures, s.scrapeErrors, s.scraped} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (s sample) Collect(ch chan<- prometheus.Metric) {
	emit := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, kind, value, labels...)
	}
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	emit(s.scraped, gauge, s.took.Seconds())
	states := map[string]map[api.State]int{}
	for i := range s.snapshot.containers {
		c := &s.snapshot.containers[i]
		if states[c.Backend] == nil {
			states[c.Backend] = map[api.State]int{}
		}
		states[c.Backend][c.State]++
		if runs(c.State) {
			s.container(c, emit)
		}
	}
	for _, b := range s.backends {
		if states[b.Name] == nil {
			states[b.Name] = map[api.State]int{}
		}
		for _, state := range backendStates {
			is := 0.0
			if b.State == state {
				is = 1
			}
			emit(s.backendStates, gauge, is, b.Name, string(state))
		}
		emit(s.starts, counter, float64(b.Starts), b.Name)
		emit(s.attaches, counter, float64(b.Attaches), b.Name)
		emit(s.restarts, counter, float64(max(0, b.Starts+b.Attaches-1)), b.Name)
		emit(s.failures, gauge, float64(b.Failures), b.Name)
		emit(s.scrapeErrors, gauge, float64(s.failed[b.Name]), b.Name)
	}
	for backend, counts := range states {
		for _, state := range containerStates {
			emit(s.states, gauge, float64(counts[state]), backend, string(state))
		}
	}
}

// container emits the metrics of a container.
func (s sample) container(c *measured, emit func(*prometheus.Desc, prometheus.ValueType, float64, ...string)) {
	labels := []string{c.ID, c.Name, c.Image, c.Backend, c.Runtime}
	for _, name := range s.labels {
		labels = append(labels, c.Labels[name])
	}
	for i, text := range labels {
		labels[i] = strings.ToValidUTF8(text, "\uFFFD")
	}
	for _, f := range s.figures.containers {
		if value, known := f.value(c); known {
			emit(f.desc, f.kind, value, labels...)
		}
	}
	for _, t := range c.traffic {
		for _, f := range s.flows {
			emit(f.desc, prometheus.CounterValue, float64(f.value(t)), append(slices.Clip(labels), t.Interface)...)
		}
	}
}
