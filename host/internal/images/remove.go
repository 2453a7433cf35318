package images

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// Remove removes an image; see the method of host.Host.
func (m *Manager) Remove(ctx context.Context, ref string, force bool) (api.RemovedImage, error) {
	var done api.RemovedImage
	err := m.update(ctx, func(tx *store.Tx) error {
		image, name, err := find(tx, ref)
		if err != nil {
			return err
		}
		done = api.RemovedImage{ID: image.ID, Untagged: shortNames(image.Names)}
		if name != "" && len(image.Names) > 1 {
			done.Untagged = []string{shortName(name)}
			image.Names = slices.DeleteFunc(image.Names, func(n string) bool { return n == name })
			if err := tx.PutImage(image); err != nil {
				return err
			}
			return appendEvent(tx, api.EventImageUntagged, image, name)
		}
		if name == "" && len(image.Names) > 1 && !force {
			return executor.Errorf(executor.FailedPrecondition, "image %s has %d names; remove them one by one, or force its removal", short(image.ID), len(image.Names))
		}
		n, err := users(tx)
		if err != nil {
			return err
		}
		if n := n[image.ID]; n > 0 && !force {
			return executor.Errorf(executor.FailedPrecondition, "image %q is used by %s; remove them first, or force its removal: they keep its files for as long as they need them", ref, count(n, "container"))
		}
		done.Removed = true
		return remove(tx, image)
	})
	if err != nil {
		return api.RemovedImage{}, err
	}
	if done.Removed {
		done.Bytes, err = m.Sweep()
	}
	return done, err
}

// remove removes the record of an image.
func remove(tx *store.Tx, image *store.Image) error {
	if err := tx.RemoveImage(image.ID); err != nil {
		return err
	}
	return appendEvent(tx, api.EventImageRemoved, image, image.Names...)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// short returns the beginning of an id, as it is shown.
func short(id string) string {
	if len(id) > 19 {
		return id[7:19]
	}
	return id
}

// Tag gives an image another name.
func (m *Manager) Tag(ctx context.Context, ref, name string) error {
	whole, err := normalName(name)
	if err != nil {
		return err
	}
	return m.update(ctx, func(tx *store.Tx) error {
		image, _, err := find(tx, ref)
		if err != nil || slices.Contains(image.Names, whole) {
			return err
		}
		image.Names = append(image.Names, whole)
		slices.Sort(image.Names)
		if err := tx.PutImage(image); err != nil {
			return err
		}
		return appendEvent(tx, api.EventImageTagged, image, whole)
	})
}

// Prune removes images that nothing needs; see the method of host.Host.
func (m *Manager) Prune(ctx context.Context, opts api.PruneImagesOptions) (api.PrunedImages, error) {
	var done api.PrunedImages
	choose := func(tx *store.Tx) error {
		all, err := tx.Images()
		if err != nil {
			return err
		}
		n, err := users(tx)
		if err != nil {
			return err
		}
		for _, image := range all {
			if n[image.ID] > 0 || len(image.Names) > 0 && !opts.All {
				continue
			}
			done.Images = append(done.Images, m.show(image, 0))
			if opts.DryRun {
				done.Bytes += image.Size
				continue
			}
			if err := remove(tx, image); err != nil {
				return err
			}
		}
		return nil
	}
	if opts.DryRun {
		return done, m.view(choose)
	}
	err := m.update(ctx, choose)
	if err != nil {
		return done, err
	}
	swept, err := m.Sweep()
	partial, perr := m.removePartial(0)
	done.Bytes = swept + partial
	return done, errors.Join(err, perr)
}
