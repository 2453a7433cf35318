package metrics

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/api"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"
)

// Host is what a Metrics asks when it is scraped. *host.Host implements it.
type Host interface {
	Backends() ([]api.BackendInfo, error)
	List(...api.ListOptions) ([]api.Container, error)
	Stats(ctx context.Context, id string) (api.Stats, error)
	Traffic(id string) ([]api.Traffic, error)
}

// Options are the options of a Metrics.
type Options struct {
	// Build is the version of the program.
	Build api.Version
	// Labels are the labels of containers that become labels of their metrics.
	Labels []string
	// Patience is how long a scrape waits for the figures of containers; 0 means
	// DefaultPatience.
	Patience time.Duration
}

// DefaultPatience is the default of Options.Patience. Prometheus waits 10 s for a scrape by
// default. A container is measured in a millisecond or less.
const DefaultPatience = 3 * time.Second

// Metrics has the metrics of a host. It is safe for concurrent use.
type Metrics struct {
	*observations
	opts     Options
	registry *prometheus.Registry
	figures  *figures
	// turn lets one scrape at a time ask for figures.
	turn chan struct{}
}

var _ host.Observer = (*Metrics)(nil)

// New returns the metrics of a host that is to be opened with them as its Observer. The error
// says that two Labels would have the same name.
func New(opts Options) (*Metrics, error) {
	if opts.Patience <= 0 {
		opts.Patience = DefaultPatience
	}
	figures, err := newFigures(opts.Labels)
	if err != nil {
		return nil, err
	}
	m := &Metrics{opts: opts, observations: newObservations(), registry: prometheus.NewRegistry(), figures: figures, turn: make(chan struct{}, 1)}
	m.registry.MustRegister(
		m.observations, buildInfo(opts.Build), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m, nil
}

func buildInfo(v api.Version) prometheus.Collector {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "davit_build_info", Help: "1, with the build of the host."}, []string{"version", "commit", "go"})
	g.WithLabelValues(v.Version, v.Commit, v.Go).Set(1)
	return g
}

// Write writes all metrics in the text format of Prometheus, version 0.0.4, with the figures of
// a host. It writes nothing if it returns an error before the first byte, such as ctx's.
func (m *Metrics) Write(ctx context.Context, h Host, w io.Writer) error {
	select {
	case m.turn <- struct{}{}:
		defer func() { <-m.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	began := time.Now()
	s, err := take(ctx, h, m.opts.Patience)
	if err != nil {
		return err
	}
	m.expect(s.backends)
	s.took = time.Since(began)
	now := prometheus.NewRegistry()
	if err := now.Register(sample{m.figures, s}); err != nil {
		return err
	}
	families, err := prometheus.Gatherers{m.registry, now}.Gather()
	if len(families) == 0 {
		return err // otherwise one metric is at fault, and the others are worth having
	}
	var text bytes.Buffer
	enc := expfmt.NewEncoder(&text, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range families {
		if err := enc.Encode(f); err != nil {
			return err
		}
	}
	_, err = text.WriteTo(w)
	return err
}
