package api

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	headerTime = 10 * time.Second
	idleTime   = 2 * time.Minute
	maxHeader  = 64 << 10
	// graceTime is how long requests may take to finish when the host stops.
	graceTime = 10 * time.Second
)

// Serve serves h, see [NewHandler], on l until ctx ends. Then requests that wait or stream
// end with the error that the host is stopping; other requests have time to finish. Serve
// closes l.
func Serve(ctx context.Context, l net.Listener, h any, opts Options) error {
	return serve(ctx, l, newHandler(h, opts))
}

// ServeMonitoring is like [Serve], and has only the routes by which others watch a host:
// metrics, and whether it lives and is ready. They change nothing, and show whoever can
// connect the names, images and chosen labels of containers.
func ServeMonitoring(ctx context.Context, l net.Listener, h any, opts Options) error {
	opts.Access = nil // they are for everybody
	return serve(ctx, l, newHandlerOf(h, opts, entry.monitoring))
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
		ConnContext:       withPeer,
		ErrorLog:          log.New(debugWriter{handler.logger}, "", 0),
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
	handler.duplexes.Wait()
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}

// debugWriter logs each line at debug level.
type debugWriter struct{ logger Logger }

// Write implements io.Writer.
func (w debugWriter) Write(line []byte) (int, error) {
	w.logger.Debug(strings.TrimSpace(string(line)))
	return len(line), nil
}
