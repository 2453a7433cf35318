package api

import (
	"cmp"
	"encoding/json"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// EventHealthStatus occurs when a container becomes healthy or unhealthy. The status is in
// the data as "status".
const EventHealthStatus = "container.health_status"

// Defaults of a [HealthCheck], which are docker's.
const (
	DefaultHealthInterval      = 30 * time.Second
	DefaultHealthTimeout       = 30 * time.Second
	DefaultHealthRetries       = 3
	DefaultHealthStartInterval = 5 * time.Second
)

const (
	// minHealthTime is the shortest time in a health check, as in docker.
	minHealthTime = time.Millisecond
	// maxHealthCommand is how much the command of a health check may have, in bytes.
	maxHealthCommand = 16 << 10
	// MaxHealthOutput is how much of the output of a probe is kept, in bytes.
	MaxHealthOutput = 4096
	// MaxHealthLog is how many results of probes are kept.
	MaxHealthLog = 5
)

// HealthCheck says how it is found out whether a container does its work. One of Command,
// TCP and HTTP says what a probe is. What is zero is as the container's image says, or else
// the default.
type HealthCheck struct {
	// Command is run in the container. It succeeds with exit code 0.
	Command []string `json:"command,omitempty"`
	// TCP is [HOST:]PORT. A probe succeeds if something accepts a connection there, as seen
	// from within the container. HOST is an address or localhost; without it, it is
	// 127.0.0.1.
	TCP string `json:"tcp,omitempty"`
	// HTTP is a URL, or :PORT/PATH, as seen from within the container. A probe succeeds if
	// the answer has a status from 200 to 399. Redirects are not followed, and certificates
	// not verified.
	HTTP string `json:"http,omitempty"`
	// None means that there are no probes, whatever the image says.
	None bool `json:"none,omitempty"`
	// Interval is the time between two probes, and before the first. Timeout is how long a
	// probe may take; then it is ended, and has failed.
	Interval time.Duration `json:"interval,omitempty"`
	Timeout  time.Duration `json:"timeout,omitempty"`
	// Retries is how many probes in a row have to fail until the container is unhealthy.
	Retries int `json:"retries,omitempty"`
	// StartPeriod is how long after its start failures do not count, unless a probe has
	// succeeded before. Meanwhile StartInterval is the time between probes. The default is
	// no period.
	StartPeriod   *time.Duration `json:"start_period,omitempty"`
	StartInterval time.Duration  `json:"start_interval,omitempty"`
}

// healthCheckText is a HealthCheck with durations as text.
type healthCheckText struct {
	Command       []string  `json:"command,omitempty"`
	TCP           string    `json:"tcp,omitempty"`
	HTTP          string    `json:"http,omitempty"`
	None          bool      `json:"none,omitempty"`
	Interval      duration  `json:"interval,omitzero"`
	Timeout       duration  `json:"timeout,omitzero"`
	Retries       int       `json:"retries,omitempty"`
	StartPeriod   *duration `json:"start_period,omitempty"`
	StartInterval duration  `json:"start_interval,omitzero"`
}

func (h *HealthCheck) text() *healthCheckText {
	if h == nil {
		return nil
	}
	return &healthCheckText{
		h.Command, h.TCP, h.HTTP, h.None, duration(h.Interval), duration(h.Timeout), h.Retries, (*duration)(h.StartPeriod), duration(h.StartInterval),
	}
}

func (t *healthCheckText) check() *HealthCheck {
	if t == nil {
		return nil
	}
	return &HealthCheck{
		t.Command, t.TCP, t.HTTP, t.None, time.Duration(t.Interval), time.Duration(t.Timeout), t.Retries, (*time.Duration)(t.StartPeriod), time.Duration(t.StartInterval),
	}
}

// MarshalJSON writes durations as text, such as 30s.
func (h HealthCheck) MarshalJSON() ([]byte, error) { return json.Marshal(h.text()) }

// UnmarshalJSON is the inverse of MarshalJSON.
func (h *HealthCheck) UnmarshalJSON(raw []byte) error {
	var t healthCheckText
	err := json.Unmarshal(raw, &t)
	*h = *t.check()
	return err
}

// Probes reports whether it says what a probe is.
func (h *HealthCheck) Probes() bool { return len(h.Command) > 0 || h.TCP != "" || h.HTTP != "" }

// Validate checks what is set.
func (h *HealthCheck) Validate() error {
	kinds := 0
	for _, is := range []bool{len(h.Command) > 0, h.TCP != "", h.HTTP != ""} {
		if is {
			kinds++
		}
	}
	size := 0
	for _, arg := range h.Command {
		size += len(arg) + 1
	}
	times := map[string]time.Duration{"interval": h.Interval, "timeout": h.Timeout, "start interval": h.StartInterval}
	if h.StartPeriod != nil {
		times["start period"] = *h.StartPeriod
	}
	for name, d := range times {
		if d < 0 || d > 0 && d < minHealthTime {
			return invalid("health check: the %s %s is too short; give at least %s", name, d, minHealthTime)
		}
	}
	_, tcp := h.tcpAddress()
	_, http := h.httpURL()
	switch {
	case h.None && (kinds > 0 || h.StartPeriod != nil || h.Interval+h.Timeout+h.StartInterval > 0 || h.Retries != 0):
		return invalid("health check: there is to be none, and yet something is said about it; use one or the other")
	case kinds > 1:
		return invalid("health check: more than one of a command, TCP and HTTP is given; use one")
	case len(h.Command) > 0 && h.Command[0] == "":
		return invalid("health check: the program of its command is empty")
	case size > maxHealthCommand:
		return invalid("health check: its command has %d bytes, at most %d are allowed; put it into a script", size, maxHealthCommand)
	case h.Retries < 0:
		return invalid("health check: %d retries are not possible; give at least 1", h.Retries)
	}
	return cmp.Or(tcp, http)
}

// Resolved returns the check with its defaults, and addresses in full. It is valid.
func (h HealthCheck) Resolved() HealthCheck {
	h.TCP, _ = h.tcpAddress()
	h.HTTP, _ = h.httpURL()
	h.Interval = cmp.Or(h.Interval, DefaultHealthInterval)
	h.Timeout = cmp.Or(h.Timeout, DefaultHealthTimeout)
	h.Retries = cmp.Or(h.Retries, DefaultHealthRetries)
	h.StartInterval = cmp.Or(h.StartInterval, DefaultHealthStartInterval)
	if h.StartPeriod == nil {
		h.StartPeriod = new(time.Duration)
	}
	return h
}

// tcpAddress returns the address of TCP, with an IP address for its host.
func (h *HealthCheck) tcpAddress() (string, error) {
	if h.TCP == "" {
		return "", nil
	}
	host, port := "", h.TCP
	if strings.Contains(h.TCP, ":") {
		var err error
		if host, port, err = net.SplitHostPort(h.TCP); err != nil {
			return "", invalid("health check: TCP %q is not of the form [HOST:]PORT", h.TCP)
		}
	}
	return healthAddress("TCP", host, port)
}

// httpURL returns the URL of HTTP, with an IP address for its host.
func (h *HealthCheck) httpURL() (string, error) {
	if h.HTTP == "" {
		return "", nil
	}
	text := h.HTTP
	if strings.HasPrefix(text, ":") {
		text = "http://127.0.0.1" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return "", invalid("health check: HTTP %q is neither a URL such as http://127.0.0.1:8080/health nor of the form :PORT/PATH", h.HTTP)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if u.Host, err = healthAddress("HTTP", u.Hostname(), port); err != nil {
		return "", err
	}
	u.Path = cmp.Or(u.Path, "/")
	return u.String(), nil
}

// healthAddress returns an address with an IP address for its host. Other names are not
// looked up: which servers and files the container would ask, only the container knows.
func healthAddress(kind, host, port string) (string, error) {
	if host == "" || host == "localhost" {
		host = "127.0.0.1"
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return "", invalid("health check: the host of %s, %q, is neither an IP address nor localhost", kind, host)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", invalid("health check: the port of %s, %q, is not a number from 1 to 65535", kind, port)
	}
	return net.JoinHostPort(host, port), nil
}

// HealthStatus says whether a container does its work.
type HealthStatus string

const (
	// HealthStarting means that no probe has succeeded yet, and that too few have failed.
	HealthStarting  HealthStatus = "starting"
	HealthHealthy   HealthStatus = "healthy"
	HealthUnhealthy HealthStatus = "unhealthy"
	// HealthNone stands for a container that has no health check, or does not run.
	HealthNone HealthStatus = "none"
)

// HealthStatuses returns all of them.
func HealthStatuses() []HealthStatus {
	return []HealthStatus{HealthStarting, HealthHealthy, HealthUnhealthy, HealthNone}
}

// Health is what the health check of a container has found out of its present attempt.
type Health struct {
	Status HealthStatus `json:"status"`
	// FailingStreak is how many probes have failed since the last success.
	FailingStreak int `json:"failing_streak"`
	// Log has the last results, the oldest first. Only Inspect sets it. After a restart of
	// the host it begins with the one that last changed the status.
	Log []HealthResult `json:"log,omitempty"`
}

// HealthResult is the result of a probe.
type HealthResult struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// ExitCode is that of the command. It is -1 if that could not be run, or was ended
	// because it took too long. Of other probes it is 0 or 1.
	ExitCode int `json:"exit_code"`
	// Output is the beginning of what the probe has written or found, at most
	// [MaxHealthOutput] bytes.
	Output string `json:"output,omitempty"`
}
