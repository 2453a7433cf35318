package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/metrics"
	"github.com/hashicorp/go-hclog"
)

// monitoring is what lets others watch a host: its metrics, and the address of the config on
// which they are served beside the API's socket.
type monitoring struct {
	metrics  *metrics.Metrics
	listener net.Listener // nil without an address
	pprof    bool
	options  api.Options
}

// openMonitoring listens where the config says.
func openMonitoring(ctx context.Context, cfg config.Config, build api.Version, logger hclog.Logger) (*monitoring, error) {
	measures, err := metrics.New(metrics.Options{Build: build, Labels: cfg.Metrics.Labels})
	if err != nil {
		return nil, err
	}
	m := &monitoring{metrics: measures, pprof: cfg.Debug.Pprof, options: api.Options{Version: build, Logger: logger.Named("metrics")}}
	address, public, err := cfg.Metrics.Listen()
	if err != nil || address == "" {
		return m, err
	}
	var lc net.ListenConfig
	if m.listener, err = lc.Listen(ctx, "tcp", address); err != nil {
		return nil, fmt.Errorf("metrics.address: %w; name another one, or none", err)
	}
	if public {
		logger.Warn("whoever reaches this address sees the names, images and chosen labels of containers", "metrics_address", address)
	}
	logger.Info("metrics are served", "address", m.listener.Addr().String())
	return m, nil
}

// watched is a host with its metrics.
type watched struct {
	*host.Host
	metrics *metrics.Metrics
}

// WriteMetrics writes the host's metrics.
func (w watched) WriteMetrics(ctx context.Context, to io.Writer) error {
	return w.metrics.Write(ctx, w.Host, to)
}

// profiled is a host of which profiles can be taken.
type profiled struct {
	watched
	profiles
}

// of returns what the API serves: a host, and what can be seen of it.
func (m *monitoring) of(h *host.Host) any {
	w := watched{h, m.metrics}
	if m.pprof {
		return profiled{w, profiles{}}
	}
	return w
}

// serve serves a host on the address of the config until ctx ends. It returns a function that
// waits for its end.
func (m *monitoring) serve(ctx context.Context, served any) (wait func() error) {
	if m.listener == nil {
		return func() error { return nil }
	}
	done := make(chan error, 1)
	go func() {
		err := api.ServeMonitoring(ctx, m.listener, served, m.options)
		if ctx.Err() == nil {
			m.options.Logger.Error("metrics are no longer served on their address, only on the socket of the API", "error", err)
		}
		done <- err
	}()
	return func() error { return <-done }
}

// close stops listening, if nobody has served.
func (m *monitoring) close() error {
	if m.listener == nil {
		return nil
	}
	if err := m.listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
