package main

import (
	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/otlp"
	"github.com/davit-run/davit/shared/trace"
	"github.com/hashicorp/go-hclog"
)

// openTracing returns what takes the spans of the host, or nil if the environment names no
// collector, and a function that sends what is left.
func openTracing(lookup func(string) (string, bool), logger hclog.Logger) (sink trace.Sink, stop func()) {
	target, err := otlp.FromEnvironment(lookup)
	if err != nil {
		logger.Warn("nothing is traced", "error", err)
	}
	if target == nil {
		return nil, func() {}
	}
	exporter := otlp.NewExporter(target, func(lost int, err error) {
		logger.Warn("parts of traces were lost", "spans", lost, "error", err)
	})
	own := target.Service(api.HostService)
	logger.Info("requests that ask for it are traced", "collector", target.String())
	return func(s trace.Span) {
		if s.Service == api.HostService {
			s.Service = own
		}
		exporter.Add(s)
	}, exporter.Close
}
