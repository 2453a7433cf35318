package images

import (
	"cmp"
	"context"
	"io"
	"slices"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/images/manifest"
	"github.com/davit-run/davit/host/internal/images/registry"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

const (
	// pushParallel is how many blobs of a push are sent at once, the same as docker's.
	pushParallel = 5
	// pushTries is how often something is sent.
	pushTries = 5
)

// Push sends an image to the registry of its name; see the method of host.Host.
func (m *Manager) Push(ctx context.Context, name string, progress func(api.Progress)) (api.Image, error) {
	image, err := m.push(ctx, name, reporter(progress))
	if err != nil {
		return api.Image{}, executor.Errorf(executor.CodeOf(err), "push of %q: %w", name, err)
	}
	return m.show(image, 0), nil
}

func (m *Manager) push(ctx context.Context, name string, progress func(api.Progress)) (*store.Image, error) {
	whole, err := normalName(name)
	if err != nil {
		return nil, err
	}
	named, err := reference.ParseNamed(whole)
	if err != nil {
		return nil, err
	}
	tagged, ok := named.(reference.NamedTagged)
	if !ok {
		return nil, executor.Errorf(executor.Internal, "%s has no tag", whole)
	}
	var image *store.Image
	sources := map[string]string{}
	err = m.view(func(tx *store.Tx) error {
		image, err = tx.FindImage(whole, "")
		if executor.CodeOf(err) == executor.NotFound {
			return executor.Errorf(executor.NotFound, "no image has that name; give one that name with davit tag")
		}
		if err != nil {
			return err
		}
		all, err := tx.Images()
		sources = mountable(all, tagged)
		return err
	})
	if err != nil {
		return nil, err
	}
	release, err := m.keep(image)
	if err != nil {
		return nil, err
	}
	defer release()
	raw, err := m.blobs.Read(digest.Digest(image.Manifest), manifest.MaxSize)
	if err != nil {
		return nil, err
	}
	doc, err := manifest.Parse(raw)
	if err != nil {
		return nil, err
	}
	repo, err := registry.Open(tagged, registry.Pull, registry.Push)
	if err != nil {
		return nil, err
	}
	blobs := append([]v1.Descriptor{doc.Manifest.Config}, doc.Manifest.Layers...)
	if err := m.pushAll(ctx, repo, blobs, sources, progress); err != nil {
		return nil, err
	}
	err = m.again(ctx, func() error {
		return repo.PushManifest(ctx, tagged.Tag(), cmp.Or(doc.Manifest.MediaType, v1.MediaTypeImageManifest), raw)
	})
	if err == nil {
		m.pushed(ctx, image, whole)
	}
	return image, err
}

// mountable returns, for blobs that another repository of a name's registry may have, which
// one: images with that blob have names in it.
func mountable(all []*store.Image, named reference.Named) map[string]string {
	sources := map[string]string{}
	for _, image := range all {
		for _, name := range image.Names {
			other, err := reference.ParseNamed(name)
			if err != nil || reference.Domain(other) != reference.Domain(named) || reference.Path(other) == reference.Path(named) {
				continue
			}
			for _, d := range append([]string{image.ID}, image.Layers...) {
				sources[d] = reference.Path(other)
			}
		}
	}
	return sources
}

// pushAll sends blobs, several at once.
func (m *Manager) pushAll(ctx context.Context, repo *registry.Repository, blobs []v1.Descriptor, sources map[string]string, progress func(api.Progress)) error {
	report, end := inTurn(progress)
	defer end()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(pushParallel)
	for i, d := range blobs {
		if slices.ContainsFunc(blobs[:i], func(other v1.Descriptor) bool { return other.Digest == d.Digest }) {
			continue
		}
		group.Go(func() error {
			return m.again(ctx, func() error { return m.pushBlob(ctx, repo, d, sources[string(d.Digest)], report) })
		})
	}
	return group.Wait()
}

// pushBlob sends a blob, unless it is there.
func (m *Manager) pushBlob(ctx context.Context, repo *registry.Repository, d v1.Descriptor, from string, report func(api.Progress)) error {
	if has, err := repo.Has(ctx, d.Digest); has || err != nil {
		return err
	}
	if err := m.blobs.Check(d.Digest, d.Size); err != nil {
		return err
	}
	return repo.Push(ctx, d, from, func() (io.ReadCloser, error) { return m.blobs.Open(d.Digest) }, func(n int64) {
		report(api.Progress{Step: api.StepPush, What: string(d.Digest), Done: n, Total: d.Size})
	})
}

// again does something with a registry, and does it again if it may succeed then.
func (m *Manager) again(ctx context.Context, do func() error) error {
	for tries := 1; ; tries++ {
		err := do()
		if err == nil || ctx.Err() != nil || executor.CodeOf(err) != executor.Unavailable || tries == pushTries {
			return err
		}
		if err := m.pause(ctx, tries); err != nil {
			return err
		}
	}
}
