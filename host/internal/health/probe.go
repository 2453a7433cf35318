package health

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/davit-run/davit/host/api"
)

// ExitCode of a probe of the host's that has succeeded or failed, and of one that could not
// be made or was ended because it took too long.
const (
	succeeded = 0
	failed    = 1
	Aborted   = -1
)

// TCP connects to an address as seen by a process. The error is [ErrOver] if the process is
// gone.
func TCP(ctx context.Context, p Process, address string, timeout time.Duration) (api.HealthResult, error) {
	return timed(ctx, timeout, func(ctx context.Context) (string, error) {
		conn, err := p.dial(ctx, address)
		if err == nil {
			_ = conn.Close()
		}
		return "connected to " + address, err
	})
}

// HTTP asks for a URL, whose host is an IP address, as seen by a process. The error is
// [ErrOver] if the process is gone.
func HTTP(ctx context.Context, p Process, url string, timeout time.Duration) (api.HealthResult, error) {
	client := http.Client{
		Transport: &http.Transport{
			DialContext:            func(ctx context.Context, _, address string) (net.Conn, error) { return p.dial(ctx, address) },
			TLSClientConfig:        &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // it is for other names than the container's own address
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return timed(ctx, timeout, func(ctx context.Context) (string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return "", err
		}
		req.Header.Set("User-Agent", "davit-health")
		reply, err := client.Do(req)
		if err != nil {
			return "", err
		}
		defer reply.Body.Close()
		body, err := io.ReadAll(io.LimitReader(reply.Body, api.MaxHealthOutput))
		output := reply.Status + "\n" + string(body)
		if reply.StatusCode < 200 || reply.StatusCode > 399 {
			return "", errors.New(output)
		}
		return output, err
	})
}

// timed makes a probe that may take so long. fn returns its output.
func timed(ctx context.Context, timeout time.Duration, fn func(context.Context) (string, error)) (api.HealthResult, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r := api.HealthResult{Start: time.Now().UTC()}
	output, err := fn(limited)
	r.End, r.ExitCode, r.Output = time.Now().UTC(), succeeded, output
	switch {
	case ctx.Err() != nil:
		return r, ErrUnknown
	case errors.Is(err, ErrOver):
		return r, ErrOver
	case limited.Err() != nil && err != nil:
		return TimedOut(api.HealthResult{Start: r.Start}, timeout), nil
	case err != nil:
		r.ExitCode, r.Output = failed, err.Error()
	}
	return r, nil
}

// TimedOut returns what a probe has found out that was ended because it took too long.
func TimedOut(r api.HealthResult, timeout time.Duration) api.HealthResult {
	r.End, r.ExitCode = time.Now().UTC(), Aborted
	r.Output = fmt.Sprintf("the probe has taken more than %s, and was ended\n%s", timeout, r.Output)
	return r
}
