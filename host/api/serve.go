package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/davit-run/davit/host"
	"github.com/hashicorp/go-hclog"
)

const (
	headerTime = 10 * time.Second
	idleTime   = 2 * time.Minute
	maxHeader  = 64 << 10
	// graceTime is how long requests may take to finish when the host stops.
	graceTime = 10 * time.Second
)

// Serve serves h on l until ctx ends. Requests that wait or stream are then told
// that the host is stopping; others are given time to finish. It closes l.
func Serve(ctx context.Context, l net.Listener, h *host.Host, opts Options) error {
	return serve(ctx, l, newHandler(h, opts))
}

func serve(ctx context.Context, l net.Listener, handler *handler) error {
	base, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	fresh := &unused{conns: map[net.Conn]struct{}{}}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ConnState:         fresh.note,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          handler.logger.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	server.RegisterOnShutdown(fresh.close)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	stop(errStopping)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceTime)
	defer cancel()
	err := server.Shutdown(grace)
	if err != nil {
		err = errors.Join(err, server.Close())
	}
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}
