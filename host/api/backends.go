package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/shared/executor"
)

func (s *handler) backends(w http.ResponseWriter, _ *http.Request) error {
	all, err := s.host.Backends()
	return s.answer(w, list(all), err)
}

// Backends lists the backends, by name.
func (c *Client) Backends(ctx context.Context) (all []host.BackendInfo, err error) {
	err = c.call(ctx, http.MethodGet, "/v1/backends", nil, &all)
	return all, err
}

func (s *handler) runtimes(w http.ResponseWriter, r *http.Request) error {
	all, err := s.host.Runtimes(r.Context(), r.PathValue("name"))
	return s.answer(w, list(all), err)
}

// Runtimes lists the runtimes of a backend.
func (c *Client) Runtimes(ctx context.Context, backend string) (all []executor.RuntimeInfo, err error) {
	err = c.ofBackend(ctx, backend, "/runtimes", &all)
	return all, err
}

func (s *handler) check(w http.ResponseWriter, r *http.Request) error {
	found, err := s.host.Check(r.Context(), r.PathValue("name"))
	return s.answer(w, list(found), err)
}

// Check asks a backend what would keep workloads from running now.
func (c *Client) Check(ctx context.Context, backend string) (found config.Diagnostics, err error) {
	err = c.ofBackend(ctx, backend, "/check", &found)
	return found, err
}

func (s *handler) restartBackend(w http.ResponseWriter, r *http.Request) error {
	return s.answer(w, nil, s.host.RestartBackend(r.Context(), r.PathValue("name")))
}

// RestartBackend replaces the executor of a backend by one of the program that is
// installed now.
func (c *Client) RestartBackend(ctx context.Context, backend string) error {
	return c.onBackend(ctx, http.MethodPost, backend, "/restart", nil)
}

func (c *Client) ofBackend(ctx context.Context, backend, suffix string, out any) error {
	return c.onBackend(ctx, http.MethodGet, backend, suffix, out)
}

func (c *Client) onBackend(ctx context.Context, method, backend, suffix string, out any) error {
	if err := segment("backend", backend); err != nil {
		return err
	}
	return c.call(ctx, method, "/v1/backends/"+url.PathEscape(backend)+suffix, nil, out)
}
