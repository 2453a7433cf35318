package images

import (
	"cmp"
	"slices"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/images/manifest"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/go-digest"
)

// healthCheck returns the health check of an image; nil if it has none.
func (m *Manager) healthCheck(image *store.Image) (*api.HealthCheck, error) {
	raw, err := m.blobs.Read(digest.Digest(image.ID), manifest.MaxSize)
	if err != nil {
		return nil, err
	}
	return healthOf(raw)
}

// healthOf returns the health check that a config says.
func healthOf(raw []byte) (*api.HealthCheck, error) {
	check, shell, err := manifest.ParseHealthcheck(raw)
	if err != nil || check == nil || len(check.Test) == 0 {
		return nil, err
	}
	h := &api.HealthCheck{Interval: check.Interval, Timeout: check.Timeout, Retries: check.Retries, StartInterval: check.StartInterval}
	if check.StartPeriod != 0 {
		h.StartPeriod = new(check.StartPeriod)
	}
	switch kind, rest := check.Test[0], check.Test[1:]; {
	case kind == "NONE":
		return &api.HealthCheck{None: true}, nil
	case kind == "CMD" && len(rest) > 0:
		h.Command = rest
	case kind == "CMD-SHELL" && len(rest) > 0:
		h.Command = append(slices.Clone(shell), rest[0])
	default:
		return nil, executor.Errorf(executor.Invalid, "its health check %q is neither NONE, CMD nor CMD-SHELL with a command", check.Test)
	}
	return h, h.Validate()
}

// completeHealth puts into a health check what it leaves open and the image says.
func completeHealth(own, image *api.HealthCheck) *api.HealthCheck {
	switch {
	case own == nil:
		return image
	case image == nil || image.None || own.None:
		return own
	}
	h := *own
	if !h.Probes() {
		h.Command = image.Command
	}
	h.Interval, h.Timeout = cmp.Or(h.Interval, image.Interval), cmp.Or(h.Timeout, image.Timeout)
	h.Retries, h.StartInterval = cmp.Or(h.Retries, image.Retries), cmp.Or(h.StartInterval, image.StartInterval)
	h.StartPeriod = cmp.Or(h.StartPeriod, image.StartPeriod)
	return &h
}
