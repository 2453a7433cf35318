package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
)

// metricsText is the reply of a route: the text format of Prometheus, version 0.0.4.
type metricsText struct{}

// metricsType is its media type.
const metricsType = "text/plain; version=0.0.4; charset=utf-8"

type measurer interface {
	WriteMetrics(ctx context.Context, w io.Writer) error
}

var metricsRoute = define(route[measurer, none, metricsText]{
	Name:       "WriteMetrics",
	Method:     http.MethodGet,
	Path:       "/metrics",
	Doc:        "writes metrics of the host and its containers in the text format of Prometheus",
	Monitoring: true,
	Stream: func(ctx context.Context, h measurer, _ *none, w http.ResponseWriter) error {
		var text bytes.Buffer
		if err := h.WriteMetrics(ctx, &text); err != nil {
			return err
		}
		w.Header().Set("Content-Type", metricsType)
		_, _ = text.WriteTo(w) // a client that has gone needs no answer
		return nil
	},
})

// WriteMetrics writes the metrics of the host and its containers to w, in the text format of
// Prometheus.
func (c *Client) WriteMetrics(ctx context.Context, w io.Writer) error {
	resp, err := metricsRoute.open(ctx, c, none{})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(w, resp.Body); err != nil {
		return c.broken(ctx, http.MethodGet, err)
	}
	return nil
}
