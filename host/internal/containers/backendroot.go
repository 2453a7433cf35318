package containers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/images"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// fromBackend reports whether a container is made from an image that its backend has. It
// sets the backend in opts, if the config decides.
func (m *Manager) fromBackend(opts *api.ContainerOptions) (bool, error) {
	if opts.Image == "" || opts.ImageStore == api.ImageStoreHost {
		return false, nil
	}
	picked, err := m.backends.Pick(opts.Backend)
	switch {
	case err != nil && opts.ImageStore == "":
		return false, nil //nolint:nilerr // it is reported where it matters
	case err != nil:
		return false, err
	case cmp.Or(opts.ImageStore, picked.Config().ImageStore) != api.ImageStoreBackend:
		return false, nil
	}
	opts.Backend = picked.Config().Name
	return true, nil
}

// makeBackendRoot does what makeRoot does, with an image that the backend has.
func (m *Manager) makeBackendRoot(ctx context.Context, id string, opts *api.ContainerOptions) (_ *store.ImageRef, err error) {
	session, err := m.backends.Session(ctx, opts.Backend)
	if err != nil {
		return nil, err
	}
	if err := session.Require([]executor.Capability{executor.CapImages}); err != nil {
		return nil, executor.Errorf(executor.CodeOf(err), "%w; or run the image from davit's own store, with --image-store host", err)
	}
	image, err := m.backendImage(ctx, session, opts.Image)
	if err != nil {
		return nil, err
	}
	about := func(err error) error {
		return executor.Errorf(executor.CodeOf(err), "image %q of backend %s: %w", opts.Image, opts.Backend, err)
	}
	use, err := images.UseOf(image)
	if err != nil {
		return nil, about(err)
	}
	entrypoint := use.Entrypoint(opts)
	if err := use.Complete(opts); err != nil {
		return nil, about(err)
	}
	limit := opts.StartTimeout
	if limit <= 0 {
		picked, err := m.backends.Pick(opts.Backend)
		if err != nil {
			return nil, err
		}
		limit = picked.Config().StartLimit()
	}
	root, err := onRoot(transport.Within(ctx, limit), session, transport.MethodRootPrepare, transport.RootRequest{ID: id, Digest: image.Digest})
	if err == nil && root.Problem != "" && !isNumeric(opts.Process.User) {
		err = executor.Errorf(executor.Unsupported, "the user %q cannot be looked up in it: %s; give numbers, such as --user 1000:1000", opts.Process.User, root.Problem)
	}
	if err != nil {
		m.dropRoot(ctx, opts.Backend, id)
		return nil, about(err)
	}
	ref := &store.ImageRef{ID: use.Image.ID, Store: store.StoreBackend, Name: opts.Image, User: opts.Process.User, Entrypoint: new(len(entrypoint))}
	opts.Image, opts.ImageStore, opts.Entrypoint, opts.Rootfs = "", "", nil, root.Path
	return ref, nil
}

// isNumeric reports whether a user, and a group if there is one, are numbers or not given.
func isNumeric(user string) bool {
	for part := range strings.SplitSeq(user, ":") {
		if _, err := strconv.Atoi(part); err != nil && part != "" {
			return false
		}
	}
	return true
}

// backendImage returns the image that a user means.
func (m *Manager) backendImage(ctx context.Context, session *backends.Session, ref string) (image executor.Image, err error) {
	var first error
	for _, name := range images.NamesOf(ref) {
		image, err = backends.On(ctx, session, transport.MethodImage, name)
		if !errors.Is(err, executor.NotFound) {
			return image, err
		}
		first = cmp.Or(first, err)
	}
	return image, first
}

// onRoot calls a method about the root file system of a container, and again if the executor
// dies meanwhile: each is idempotent.
func onRoot[Req, Reply any](ctx context.Context, session *backends.Session, method *transport.Method[Req, Reply], req Req) (Reply, error) {
	for tries := 1; ; tries++ {
		reply, err := backends.On(ctx, session, method, req)
		if err == nil || !session.Ended() || tries == maxDeaths {
			return reply, err
		}
		next, down := session.Next(ctx, 50*time.Millisecond)
		if down != nil {
			return reply, err
		}
		session = next
	}
}

// mountRoot makes the root file system of a container ready for a start.
func (m *Manager) mountRoot(ctx context.Context, session *backends.Session, c *store.Container) error {
	if !c.RootOnBackend() {
		return m.images.Roots().Mount(c.ID)
	}
	_, err := onRoot(ctx, session, transport.MethodRootPrepare, transport.RootRequest{ID: c.ID})
	return err
}

// reachRoot sees to it that the root file system of a container can be reached, also while
// it does not run.
func (m *Manager) reachRoot(ctx context.Context, c *store.Container, spec *specs.Spec) error {
	if !c.RootOnBackend() {
		return nil
	}
	if (c.State == store.Running || c.State == store.Paused) && spec.Root != nil {
		if _, err := os.Lstat(spec.Root.Path); err == nil { // it stays mounted
			return nil
		}
	}
	unlock, err := m.starts.Lock(ctx, c.ID)
	if err != nil {
		return err
	}
	defer unlock()
	root, err := backends.Call(ctx, m.backends, c.Backend, transport.MethodRootPrepare, transport.RootRequest{ID: c.ID})
	if err == nil && root.Problem != "" {
		err = executor.Errorf(executor.FailedPrecondition, "the files of container %s cannot be reached: %s", c.ID, root.Problem)
	}
	return err
}

// freeRoot removes the root file system that a backend has for a container of which nothing
// else is left there. What cannot be removed now is removed in the background, or by the
// reconcile of a later session.
func (m *Manager) freeRoot(ctx context.Context, c *store.Container) {
	if c != nil && c.RootOnBackend() {
		m.dropRoot(ctx, c.Backend, c.ID)
	}
}

// dropRoot does what freeRoot does.
func (m *Manager) dropRoot(ctx context.Context, backend, id string) {
	remove := func(ctx context.Context, session *backends.Session) error {
		_, err := backends.On(ctx, session, transport.MethodRootRemove, id)
		return err
	}
	if m.backends.Ready(backend) { // not while it reconciles, which may be the caller
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), transport.End)
		defer cancel()
		session, err := m.backends.Session(ctx, backend)
		if err == nil {
			err = remove(ctx, session)
		}
		if err == nil {
			return
		}
		m.logger.Warn("the root file system of a container is not removed yet", "container", id, "backend", backend, "error", err)
	}
	m.background(func() {
		session, err := m.backends.Session(m.ctx, backend)
		if err == nil {
			_ = m.insist(session, id, 0, func(ctx context.Context) error { return remove(ctx, session) })
		}
	})
}

// making says that a container is being made until made is called: that it has no record is
// no loss.
func (m *Manager) making(id string) (made func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unmade[id] = true
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.unmade, id)
	}
}

// sweepRoots removes the root file systems that a backend has for containers of which
// nothing else is left.
func (m *Manager) sweepRoots(ctx context.Context, session *backends.Session) error {
	ids, err := backends.On(ctx, session, transport.MethodRootList, transport.None{})
	if err != nil || len(ids) == 0 || m.store.Info().Incomplete() {
		return err
	}
	m.mu.Lock()
	ids = slices.DeleteFunc(ids, func(id string) bool { return m.unmade[id] })
	m.mu.Unlock()
	records, err := m.records() // after that: what was made has a record now
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		if m.outputs.Has(id) || slices.ContainsFunc(records, func(c *store.Container) bool { return c.ID == id }) {
			continue
		}
		if _, err := backends.On(ctx, session, transport.MethodRootRemove, id); err != nil {
			errs = append(errs, fmt.Errorf("root file system of container %s: %w", id, err))
		}
	}
	return errors.Join(errs...)
}
