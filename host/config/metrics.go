package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Metrics configures the metrics of the host and its containers. The API's socket serves them
// in any case.
type Metrics struct {
	// Address is where they are served over HTTP as well, with /livez and /readyz, to whoever
	// can connect: an IP address and a port, or a port alone for 127.0.0.1. Empty means
	// nowhere.
	Address string `json:"address,omitempty"`
	// Labels are the labels of containers that their metrics have, too. The label team becomes
	// container_label_team. Each value of a label makes series of its own.
	Labels []string `json:"labels,omitempty"`
}

// Listen returns where to listen, "" for nowhere, and whether others than this machine can
// connect there.
func (m Metrics) Listen() (address string, public bool, err error) {
	if m.Address == "" {
		return "", false, nil
	}
	return tcpAddress(m.Address)
}

// tcpAddress reads an IP address and a port, or a port alone for 127.0.0.1.
func tcpAddress(text string) (address string, public bool, err error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		if _, nerr := strconv.Atoi(text); nerr != nil {
			return "", false, fmt.Errorf("%q is not an address with a port", text)
		}
		host, port = "", text
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return "", false, fmt.Errorf("%q is not a port from 1 to 65535", port)
	}
	if host == "" || host == "localhost" {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return "", false, fmt.Errorf("%q is not an IP address", host)
	}
	return net.JoinHostPort(ip.String(), port), !ip.IsLoopback(), nil
}

// checkLabels checks the Labels.
func (m Metrics) checkLabels() error {
	for i, label := range m.Labels {
		switch {
		case strings.TrimSpace(label) == "":
			return errors.New("a label has no name")
		case slices.Contains(m.Labels[:i], label):
			return fmt.Errorf("the label %q is there twice", label)
		}
		for _, other := range m.Labels[:i] {
			if MetricLabel(other) == MetricLabel(label) {
				return fmt.Errorf("the labels %q and %q would both become %s", other, label, MetricLabel(label))
			}
		}
	}
	return nil
}

// MetricLabel returns the name of the label of metrics for a label of containers: what
// Prometheus does not allow in one becomes an underscore.
func MetricLabel(label string) string {
	return "container_label_" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, label)
}

// Debug configures what helps to find faults of the host.
type Debug struct {
	// Pprof lets root take profiles of the host over the API's socket. They show what is in
	// its memory.
	Pprof bool `json:"pprof,omitempty"`
}
