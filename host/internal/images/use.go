package images

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/images/layer"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/host/publish"
	"github.com/davit-run/davit/shared/executor"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Use is an image that a container is about to be made from. Its layers stay until Release
// is called.
type Use struct {
	Image *store.Image
	// Layers are the names of its layers, the lowest first.
	Layers []string
	// Release is called once.
	Release func()

	config *v1.ImageConfig
	// health is the health check of the image. healthErr is why it cannot be used.
	health    *api.HealthCheck
	healthErr error
}

// Use returns an image for a container. Layers that are missing, because somebody removed
// them, are unpacked again.
func (m *Manager) Use(ctx context.Context, ref string) (*Use, error) {
	var image *store.Image
	look := func(tx *store.Tx) (err error) {
		image, _, err = find(tx, ref)
		return err
	}
	if err := m.view(look); err != nil {
		return nil, err
	}
	release, err := m.keep(image)
	if err != nil {
		return nil, executor.Errorf(executor.CodeOf(err), "image %q: %w", ref, err)
	}
	config, err := m.config(image)
	if err == nil {
		err = m.unpack(ctx, image, len(image.Layers), func(api.Progress) {})
	}
	if err != nil {
		release()
		return nil, executor.Errorf(executor.CodeOf(err), "image %q: %w", ref, err)
	}
	use := &Use{Image: image, Layers: layer.Names(config.RootFS.DiffIDs), Release: release, config: &config.Config}
	use.health, use.healthErr = m.healthCheck(image)
	return use, nil
}

// keep holds what images need until release is called.
func (m *Manager) keep(images ...*store.Image) (release func(), err error) {
	var keys []string
	for _, image := range images {
		keys = append(keys, keysOf(image)...)
	}
	release = m.hold(keys...)
	// One may have been removed before it was held.
	err = m.view(func(tx *store.Tx) error {
		for _, image := range images {
			if _, err := tx.Image(image.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		release()
	}
	return release, err
}

// Entrypoint returns what comes before the command of a container with opts.
func (u *Use) Entrypoint(opts *api.ContainerOptions) []string {
	if len(opts.Entrypoint) > 0 {
		return opts.Entrypoint
	}
	return u.config.Entrypoint
}

// Complete puts into opts what the image says of what they leave open.
func (u *Use) Complete(opts *api.ContainerOptions) error {
	c, p := u.config, &opts.Process
	entrypoint, args := u.Entrypoint(opts), p.Args
	if len(opts.Entrypoint) == 0 && len(args) == 0 {
		args = c.Cmd
	}
	if p.Args = slices.Concat(entrypoint, args); len(p.Args) == 0 {
		return executor.Errorf(executor.Invalid, "it has no command; give one")
	}
	env := slices.DeleteFunc(slices.Clone(c.Env), func(e string) bool {
		name, _, ok := strings.Cut(e, "=")
		return !ok || name == "" // programs would not see it
	})
	p.Env = append(env, p.Env...)
	if p.Cwd == "" && c.WorkingDir != "" {
		p.Cwd = path.Join("/", c.WorkingDir)
	}
	if p.User == "" {
		p.User = c.User
	}
	p.Mounts = withVolumes(p.Mounts, c.Volumes)
	if opts.PublishAll {
		for _, exposed := range slices.Sorted(maps.Keys(c.ExposedPorts)) {
			ports, err := publish.Parse(exposed)
			if err != nil {
				return executor.Errorf(executor.Invalid, "a port that it exposes: %w", err)
			}
			opts.Publish = append(opts.Publish, ports...)
		}
		opts.PublishAll = false
	}
	if opts.StopSignal == 0 && c.StopSignal != "" {
		sig, err := api.ParseSignal(c.StopSignal)
		if err != nil {
			return executor.Errorf(executor.Invalid, "its stop signal: %w; give one with --stop-signal", err)
		}
		opts.StopSignal = sig
	}
	if opts.HealthCheck == nil || !opts.HealthCheck.None {
		if u.healthErr != nil {
			return executor.Errorf(executor.Invalid, "%w; leave it out with --no-healthcheck", u.healthErr)
		}
		opts.HealthCheck = completeHealth(opts.HealthCheck, u.health)
	}
	if len(c.Labels) > 0 {
		labels := maps.Clone(c.Labels)
		maps.Copy(labels, opts.Labels)
		opts.Labels = labels
	}
	return nil
}

// withVolumes returns mounts with a new volume at each of paths, but where something else is
// mounted.
func withVolumes(mounts []specs.Mount, paths map[string]struct{}) []specs.Mount {
	mounts = slices.Clone(mounts)
	for _, p := range slices.Sorted(maps.Keys(paths)) {
		target := path.Join("/", p)
		taken := slices.ContainsFunc(mounts, func(m specs.Mount) bool { return path.Clean(m.Destination) == target })
		if target != "/" && !taken { // a volume at / would hide the image
			mounts = append(mounts, specs.Mount{Type: ocispec.TypeVolume, Destination: target})
		}
	}
	return mounts
}

// Free removes in the background what no image and no container needs any more.
func (m *Manager) Free() { m.wg.Go(m.sweepQuietly) }
