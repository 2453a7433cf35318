package containers

import (
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// mountOthers puts the volumes and bind mounts of other containers into opts, but where
// something is mounted already.
func (m *Manager) mountOthers(opts *api.ContainerOptions) error {
	mounts := slices.Clone(opts.Process.Mounts)
	for _, from := range opts.VolumesFrom {
		reference, mode, _ := strings.Cut(from, ":")
		if mode != "" && mode != "ro" && mode != "rw" {
			return executor.Errorf(executor.Invalid, "volumes from %q: mode %q is not known; use ro or rw", from, mode)
		}
		theirs, err := m.mountsOf(reference)
		if err != nil {
			return executor.Errorf(executor.CodeOf(err), "volumes from %q: %w", from, err)
		}
		for _, mount := range theirs {
			if slices.ContainsFunc(mounts, func(own specs.Mount) bool { return path.Clean(own.Destination) == path.Clean(mount.Destination) }) {
				continue
			}
			if mode == "ro" {
				mount.Options = append(slices.DeleteFunc(mount.Options, func(o string) bool { return o == "rw" || o == "ro" }), "ro")
			}
			mounts = append(mounts, mount)
		}
	}
	opts.Process.Mounts, opts.VolumesFrom = mounts, nil
	return nil
}

// mountsOf returns the volumes and bind mounts of a container.
func (m *Manager) mountsOf(reference string) (mounts []specs.Mount, err error) {
	var c *store.Container
	err = m.store.View(func(tx *store.Tx) error {
		if c, err = tx.Find(reference); err != nil {
			return err
		}
		spec, err := tx.Spec(c.ID)
		if err != nil {
			return err
		}
		mounts, err = ocispec.Binds(spec, m.etcDir(c.ID))
		return err
	})
	if errors.Is(err, executor.NotFound) {
		err = executor.Errorf(executor.NotFound, "there is no container %q; davit ps -a lists them", reference)
	}
	if err != nil {
		return nil, err
	}
	for _, v := range c.Volumes { // which are bind mounts in the spec
		mounts = slices.DeleteFunc(mounts, func(mount specs.Mount) bool { return path.Clean(mount.Destination) == v.Target })
		mount := specs.Mount{Type: ocispec.TypeVolume, Source: v.Name, Destination: v.Target}
		if v.ReadOnly {
			mount.Options = []string{"ro"}
		}
		mounts = append(mounts, mount)
	}
	return mounts, nil
}
