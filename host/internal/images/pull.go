package images

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/images/blob"
	"github.com/davit-run/davit/host/internal/images/manifest"
	"github.com/davit-run/davit/host/internal/images/registry"
	"github.com/davit-run/davit/shared/executor"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

const (
	// maxDepth is how deep indexes may be in each other.
	maxDepth = 3
	// fetchParallel is how many blobs of a pull are fetched at once, the same as docker's.
	fetchParallel = 3
	// fetchTries is how often a blob is asked for again when nothing more of it came.
	fetchTries = 5
	// partialAge is how long what was fetched of a blob is kept for another pull.
	partialAge = 24 * time.Hour
)

// Pull fetches an image from its registry; see the method of host.Host.
func (m *Manager) Pull(ctx context.Context, name string, opts api.PullOptions, progress func(api.Progress)) (api.Image, error) {
	image, err := m.pull(ctx, name, opts, reporter(progress))
	if err != nil {
		return api.Image{}, executor.Errorf(executor.CodeOf(err), "pull of %q: %w", name, err)
	}
	return image, nil
}

func (m *Manager) pull(ctx context.Context, name string, opts api.PullOptions, progress func(api.Progress)) (api.Image, error) {
	platform, err := manifest.ParsePlatform(opts.Platform)
	if err != nil {
		return api.Image{}, err
	}
	named, err := parseName(name)
	if err != nil {
		return api.Image{}, err
	}
	repo, err := registry.Open(named, registry.Pull)
	if err != nil {
		return api.Image{}, err
	}
	named = reference.TagNameOnly(named)
	c := candidate{event: api.EventImagePulled}
	ref := ""
	if digested, ok := named.(reference.Canonical); ok {
		ref = digested.Digest().String()
	} else if tagged, ok := named.(reference.Tagged); ok {
		ref, c.names = tagged.Tag(), []string{named.String()}
	}
	var doc manifest.Document
	if c.manifest, doc, err = resolve(ctx, repo, ref, platform); err != nil {
		return api.Image{}, err
	}
	c.config, c.layers = doc.Manifest.Config.Digest, doc.Manifest.Layers
	if doc.Manifest.Config.Size > manifest.MaxSize {
		return api.Image{}, executor.Errorf(executor.Invalid, "its config has %d bytes, at most %d are allowed", doc.Manifest.Config.Size, manifest.MaxSize)
	}
	wanted := append([]v1.Descriptor{doc.Manifest.Config}, c.layers...)
	keys := make([]string, len(wanted))
	for i, d := range wanted {
		keys[i] = string(d.Digest)
	}
	release := m.hold(keys...)
	report, silence := inTurn(progress)
	defer silence()
	f := m.fetchAll(ctx, repo, wanted, report)
	c.commit = func() error { return f.wait(c.config) }
	c.arrived = f.wait
	image, err := m.add(ctx, c, report)
	f.end()
	release()
	if code := executor.CodeOf(err); err == nil || code == executor.Invalid || code == executor.Unsupported {
		m.forget(ctx, wanted)
	}
	if err != nil {
		m.sweepQuietly()
		return api.Image{}, err
	}
	return m.show(image, 0), nil
}

// resolve fetches the manifest of a platform.
func resolve(ctx context.Context, repo *registry.Repository, ref string, platform manifest.Platform) ([]byte, manifest.Document, error) {
	var size int64
	for range maxDepth + 1 {
		raw, err := repo.Manifest(ctx, ref, size)
		if err != nil {
			return nil, manifest.Document{}, err
		}
		doc, err := manifest.Parse(raw)
		if err != nil || doc.Manifest != nil {
			return raw, doc, err
		}
		d, err := manifest.Select(doc.Index.Manifests, platform)
		if err != nil {
			return nil, manifest.Document{}, err
		}
		ref, size = d.Digest.String(), d.Size
	}
	return nil, manifest.Document{}, executor.Errorf(executor.Invalid, "it has more than %d indexes in each other", maxDepth)
}

// fetches are blobs that are on their way.
type fetches struct {
	group  *errgroup.Group
	ctx    context.Context
	cancel context.CancelFunc
	here   map[digest.Digest]chan struct{} // closed when it is
}

// fetchAll begins to fetch blobs, several at once, the first ones first.
func (m *Manager) fetchAll(ctx context.Context, repo *registry.Repository, blobs []v1.Descriptor, report func(api.Progress)) *fetches {
	f := &fetches{here: map[digest.Digest]chan struct{}{}}
	ctx, f.cancel = context.WithCancel(ctx)
	f.group, f.ctx = errgroup.WithContext(ctx)
	f.group.SetLimit(fetchParallel + 1)
	var once []v1.Descriptor // layers may be the same
	for _, d := range blobs {
		if f.here[d.Digest] == nil {
			f.here[d.Digest] = make(chan struct{})
			once = append(once, d)
		}
	}
	f.group.Go(func() error {
		for _, d := range once {
			f.group.Go(func() error {
				err := m.fetch(f.ctx, repo, d, report)
				if err == nil {
					close(f.here[d.Digest])
				}
				return err
			})
		}
		return nil
	})
	return f
}

// wait waits until a blob is here. The error is the first one that there was with any.
func (f *fetches) wait(d digest.Digest) error {
	select {
	case <-f.here[d]:
		return nil
	case <-f.ctx.Done():
		return f.group.Wait()
	}
}

// end gives up what is still on its way.
func (f *fetches) end() {
	f.cancel()
	_ = f.group.Wait() // was told to whoever waited
}

// forget removes what a next pull would have gone on with.
func (m *Manager) forget(ctx context.Context, blobs []v1.Descriptor) {
	for _, d := range blobs {
		if unlock, err := m.fetching.Lock(context.WithoutCancel(ctx), string(d.Digest)); err == nil {
			m.blobs.Forget(d.Digest)
			unlock()
		}
	}
}

// fetch fetches a blob, unless it is here. Whoever else wants it waits, and finds it. It
// goes on with what there is of it, and from its start if that turns out to be damaged.
func (m *Manager) fetch(ctx context.Context, repo *registry.Repository, d v1.Descriptor, report func(api.Progress)) error {
	unlock, err := m.fetching.Lock(ctx, string(d.Digest))
	if err != nil {
		return err
	}
	defer unlock()
	if m.blobs.Has(d.Digest) && m.blobs.Size(d.Digest) == d.Size {
		return nil
	}
	draft, err := m.blobs.Resume(d.Digest)
	if err != nil {
		return err
	}
	defer draft.Abort()
	w := &bounded{draft: draft, most: d.Size, report: func(n int64) {
		report(api.Progress{Step: api.StepFetch, What: string(d.Digest), Done: n, Total: d.Size})
	}}
	resumed := draft.Size() > 0
	best := draft.Size() // a registry that begins anew each time brings nothing
	for tries := 0; ; {
		before := draft.Size()
		if before < d.Size || before == 0 {
			err = repo.Blob(ctx, d.Digest, before, w)
		}
		switch {
		case err == nil && draft.Size() < d.Size:
			err = executor.Errorf(executor.Unavailable, "blob %s: it ended after %d of %d bytes", d.Digest, draft.Size(), d.Size)
		case err == nil && draft.Digest() == d.Digest:
			return draft.Commit()
		case err == nil || errors.Is(err, registry.ErrFromStart):
			wrong := err == nil && !resumed
			if err = draft.Reset(); err != nil {
				return err
			}
			if resumed = false; wrong {
				return executor.Errorf(executor.Invalid, "the registry sent something else as blob %s", d.Digest)
			}
			continue
		}
		if code := executor.CodeOf(err); ctx.Err() != nil || code != executor.Unavailable {
			if code == executor.Invalid {
				_ = draft.Reset() // the first error is the cause
			}
			return err
		}
		if tries++; draft.Size() > best {
			tries, best, resumed = 1, draft.Size(), true
		}
		if tries == fetchTries {
			return err
		}
		if err = m.pause(ctx, tries); err != nil {
			return err
		}
	}
}

// pause waits before a registry is asked again, the longer the more often it was.
func (m *Manager) pause(ctx context.Context, tries int) error {
	select {
	case <-time.After(time.Duration(tries) * m.fetchPause):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// inTurn returns a function that several may call at once, and that calls progress for one
// after the other until end is called: a body may be read for a moment after its answer has
// come.
func inTurn(progress func(api.Progress)) (report func(api.Progress), end func()) {
	var mu sync.Mutex
	over := false
	report = func(p api.Progress) {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			progress(p)
		}
	}
	return report, func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
	}
}

// bounded writes a draft of which the size is known.
type bounded struct {
	draft  *blob.Draft
	most   int64
	report func(int64)
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if b.draft.Size()+int64(len(p)) > b.most {
		return 0, executor.Errorf(executor.Invalid, "the registry sent more than the %d bytes that its manifest says", b.most)
	}
	n, err := b.draft.Write(p)
	b.report(b.draft.Size())
	return n, err
}

// removePartial removes what was fetched of blobs that nobody has gone on with for a while.
func (m *Manager) removePartial(age time.Duration) (int64, error) {
	return m.blobs.RemovePartial(time.Now().Add(-age), func(d digest.Digest) bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.held[string(d)] > 0
	})
}
