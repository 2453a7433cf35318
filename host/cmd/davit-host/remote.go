package main

import (
	"context"
	"errors"
	"net"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/shared/trace"
	"github.com/hashicorp/go-hclog"
)

// remote is the API over TCP. It is nil without.
type remote struct {
	listener *api.TLSListener
	options  api.Options
}

// openRemote listens on TCP if the config says so.
func openRemote(ctx context.Context, cfg config.Config, build api.Version, logger hclog.Logger) (*remote, error) {
	t := cfg.API.TLS
	if t == nil {
		return nil, nil
	}
	address, err := t.Address()
	if err != nil {
		return nil, err
	}
	files := tlsFiles(t)
	doubts, err := files.CheckHost()
	if err != nil {
		return nil, err
	}
	for _, doubt := range doubts {
		logger.Warn("clients may not be able to connect over TCP", "finding", doubt)
	}
	l, err := api.ListenTLS(ctx, api.TLSSocket{Address: address, Files: files, Logger: logger})
	if err != nil {
		return nil, err
	}
	logger.Info("the API is served over TCP, and clients with a certificate are as powerful as the host's user", "address", l.Addr().String(), "client_ca", t.ClientCA)
	return &remote{l, api.Options{Version: build, Logger: logger}}, nil
}

func tlsFiles(t *config.TLS) api.TLSFiles {
	return api.TLSFiles{Certificate: t.Certificate, Key: t.Key, CA: t.ClientCA}
}

// serve serves a host until ctx ends. It returns a function that waits for its end.
func (r *remote) serve(ctx context.Context, served any, spans trace.Sink) (wait func() error) {
	if r == nil {
		return func() error { return nil }
	}
	r.options.Trace = spans
	done := make(chan error, 1)
	go func() {
		err := api.Serve(ctx, r.listener, served, r.options)
		if ctx.Err() == nil {
			r.options.Logger.Error("the API is no longer served over TCP, only on its socket", "error", err)
		}
		done <- err
	}()
	return func() error { return <-done }
}

// close stops listening, if nobody has served.
func (r *remote) close() error {
	if r == nil {
		return nil
	}
	if err := r.listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// reload puts the files of a config into force. What else differs needs a restart of the host.
func (r *remote) reload(now, next *config.TLS) (changes []api.ReloadChange) {
	change := func(detail string, action api.ReloadAction, what string) *api.ReloadChange {
		changes = append(changes, api.ReloadChange{What: what, Action: action, Detail: detail})
		return &changes[len(changes)-1]
	}
	switch {
	case now == nil && next == nil:
	case now == nil || r == nil:
		change("none to "+next.Listen, api.ReloadLater, "api.tls")
	case next == nil:
		change(now.Listen+" to none", api.ReloadLater, "api.tls")
	default:
		if now.Listen != next.Listen {
			change(now.Listen+" to "+next.Listen, api.ReloadLater, "api.tls.listen")
		}
		renewed, err := r.listener.Reload(tlsFiles(next))
		if err != nil {
			change("", api.ReloadChanged, "api.tls").Problem = err.Error()
		} else if tlsFiles(now) != tlsFiles(next) || renewed {
			change("for new connections", api.ReloadChanged, "api.tls")
			now.Certificate, now.Key, now.ClientCA = next.Certificate, next.Key, next.ClientCA
		}
	}
	return changes
}
