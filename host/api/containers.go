package api

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// createRequest is host.ContainerOptions, with words where Go has numbers.
type createRequest struct {
	host.ContainerOptions
	StopSignal  signalName `json:"stop_signal,omitzero"`
	StopTimeout duration   `json:"stop_timeout,omitzero"`
}

type killRequest struct {
	Signal signalName `json:"signal"`
}

type stopRequest struct {
	// Timeout is the container's own if it is left out.
	Timeout *duration `json:"timeout,omitempty"`
}

func (s *handler) create(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r)
	attach := q.bool("attach")
	if err := q.done(); err != nil {
		return err
	}
	var req createRequest
	if err := readBody(w, r, &req, false); err != nil {
		return err
	}
	opts := req.ContainerOptions
	opts.StopSignal, opts.StopTimeout = executor.Signal(req.StopSignal), time.Duration(req.StopTimeout)
	if attach {
		return s.run(w, r, opts)
	}
	c, err := s.host.Create(r.Context(), opts)
	return s.answer(w, c, err)
}

func requestOf(opts host.ContainerOptions) createRequest {
	return createRequest{ContainerOptions: opts, StopSignal: signalName(opts.StopSignal), StopTimeout: duration(opts.StopTimeout)}
}

// Create makes a container and starts it; see [host.Host.Create].
func (c *Client) Create(ctx context.Context, opts host.ContainerOptions) (created host.Container, err error) {
	req := requestOf(identified(opts))
	err = c.persist(ctx, func() error {
		return c.call(ctx, http.MethodPost, "/v1/containers", req, &created)
	})
	return created, err
}

// identified gives a request an id, so that it can be repeated.
func identified(opts host.ContainerOptions) host.ContainerOptions {
	if opts.RequestID == "" {
		opts.RequestID = rand.Text()
	}
	return opts
}

func (s *handler) list(w http.ResponseWriter, r *http.Request) error {
	all, err := s.host.List()
	return s.answer(w, list(all), err)
}

// list makes JSON say [] for nothing.
func list[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

// List gives all containers, oldest first.
func (c *Client) List(ctx context.Context) (all []host.Container, err error) {
	err = c.call(ctx, http.MethodGet, "/v1/containers", nil, &all)
	return all, err
}

func (s *handler) inspect(w http.ResponseWriter, r *http.Request) error {
	c, err := s.host.Inspect(r.PathValue("ref"))
	return s.answer(w, c, err)
}

// Inspect gives a container by id, name or the beginning of an id.
func (c *Client) Inspect(ctx context.Context, reference string) (found host.Container, err error) {
	err = c.callOn(ctx, http.MethodGet, reference, "", nil, &found)
	return found, err
}

func (s *handler) remove(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r)
	force := q.bool("force")
	if err := q.done(); err != nil {
		return err
	}
	return s.answer(w, nil, s.host.Remove(r.Context(), r.PathValue("ref"), force))
}

// Remove removes a container; see [host.Host.Remove].
func (c *Client) Remove(ctx context.Context, reference string, force bool) error {
	suffix := ""
	if force {
		suffix = "?force=true"
	}
	return c.callOn(ctx, http.MethodDelete, reference, suffix, nil, nil)
}

func (s *handler) start(w http.ResponseWriter, r *http.Request) error {
	c, err := s.host.Start(r.Context(), r.PathValue("ref"))
	return s.answer(w, c, err)
}

// Start starts a container that has ended once more.
func (c *Client) Start(ctx context.Context, reference string) (started host.Container, err error) {
	err = c.callOn(ctx, http.MethodPost, reference, "/start", nil, &started)
	return started, err
}

func (s *handler) kill(w http.ResponseWriter, r *http.Request) error {
	req := killRequest{Signal: signalName(unix.SIGKILL)}
	if err := readBody(w, r, &req, true); err != nil {
		return err
	}
	return s.answer(w, nil, s.host.Kill(r.Context(), r.PathValue("ref"), executor.Signal(req.Signal)))
}

// Kill sends a signal to a container's first process.
func (c *Client) Kill(ctx context.Context, reference string, sig executor.Signal) error {
	return c.callOn(ctx, http.MethodPost, reference, "/kill", killRequest{signalName(sig)}, nil)
}

func (s *handler) stop(w http.ResponseWriter, r *http.Request) error {
	var req stopRequest
	if err := readBody(w, r, &req, true); err != nil {
		return err
	}
	timeout := time.Duration(0)
	if req.Timeout != nil {
		timeout = time.Duration(*req.Timeout)
		if timeout == 0 {
			timeout = 1 // at once; to the host, 0 is the container's own
		}
	}
	return s.answer(w, nil, s.host.Stop(r.Context(), r.PathValue("ref"), timeout))
}

// Stop asks a container to end and kills it when timeout is over; see
// [host.Host.Stop].
func (c *Client) Stop(ctx context.Context, reference string, timeout time.Duration) error {
	var req stopRequest
	if timeout != 0 {
		req.Timeout = (*duration)(&timeout)
	}
	return c.persist(ctx, func() error {
		return c.callOn(ctx, http.MethodPost, reference, "/stop", req, nil)
	})
}

func (s *handler) wait(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r)
	attempt := q.int("attempt", 0)
	if err := q.done(); err != nil {
		return err
	}
	end, err := s.host.WaitAttempt(r.Context(), r.PathValue("ref"), attempt)
	return s.answer(w, end, err)
}

// Wait waits for the end of a container's present attempt and gives it.
func (c *Client) Wait(ctx context.Context, reference string) (*host.End, error) {
	return c.wait(ctx, reference, 0)
}

// WaitAttempt is Wait for an attempt, which may have been over for long.
func (c *Client) WaitAttempt(ctx context.Context, reference string, attempt int) (*host.End, error) {
	return c.wait(ctx, reference, attempt)
}

func (c *Client) wait(ctx context.Context, reference string, attempt int) (*host.End, error) {
	var end host.End
	err := c.persist(ctx, func() error {
		there := false
		if attempt == 0 { // the next host may have started another one
			now, err := c.Inspect(ctx, reference)
			if err != nil {
				return err
			}
			reference, attempt, there = now.ID, now.Attempt, true
		}
		err := c.callOn(ctx, http.MethodGet, reference, "/wait?attempt="+strconv.Itoa(attempt), nil, &end)
		if absent, ok := errors.AsType[*absentError](err); ok && there { // it went between the two
			err = &goneError{absent.err}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &end, nil
}

// callOn is call for one container. suffix follows its path.
func (c *Client) callOn(ctx context.Context, method, reference, suffix string, in, out any) error {
	path, err := containerPath(reference)
	if err != nil {
		return err
	}
	return c.call(ctx, method, path+suffix, in, out)
}

// containerPath gives the path of a container, whatever reference holds.
func containerPath(reference string) (string, error) {
	if err := segment("container", reference); err != nil {
		return "", err
	}
	return "/v1/containers/" + url.PathEscape(reference), nil
}

// segment refuses what no escaping makes a segment of a path.
func segment(what, s string) error {
	if s == "" || s == "." || s == ".." {
		return executor.Errorf(executor.Invalid, "%q is not the name of a %s", s, what)
	}
	return nil
}
