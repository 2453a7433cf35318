package containers

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strconv"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/images"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Commit makes an image of what a container has changed of its image; see the method of
// host.Host.
func (m *Manager) Commit(ctx context.Context, reference string, opts api.CommitOptions) (api.Image, error) {
	l, err := m.ownLayer(reference)
	if err != nil {
		return api.Image{}, err
	}
	defer l.unpin()
	c := l.container
	if c.Image == nil {
		return api.Image{}, executor.Errorf(executor.FailedPrecondition, "container %s was made over a directory, of which there is no image; use davit export and davit import", c.ID)
	}
	ran, err := m.ran(c)
	if err != nil {
		return api.Image{}, err
	}
	return m.images.Commit(ctx, c.Image.ID, opts, ran, func(w io.Writer) error {
		if !opts.NoPause {
			release, err := m.hold(ctx, c.ID)
			if err != nil {
				return err
			}
			defer release()
		}
		return m.images.Roots().Pack(ctx, w, c.ID, l.mounted)
	})
}

// ran returns what a container was given that goes into an image that is made of it.
func (m *Manager) ran(c *store.Container) (images.Ran, error) {
	var spec struct {
		Hostname string         `json:"hostname"`
		Process  *specs.Process `json:"process"`
	}
	err := m.store.View(func(tx *store.Tx) error {
		raw, err := tx.Spec(c.ID)
		if err != nil {
			return err
		}
		return json.Unmarshal(raw, &spec)
	})
	r := images.Ran{Labels: c.Labels, User: c.Image.User}
	if err != nil || spec.Process == nil {
		return r, err
	}
	p := spec.Process
	r.WorkingDir = p.Cwd
	args := (&ocispec.Options{Init: true}).WithoutInit(p.Args)
	if n := c.Image.Entrypoint; n != nil && *n <= len(args) {
		r.Entrypoint, r.Cmd = args[:*n:*n], args[*n:]
	}
	r.Env = slices.DeleteFunc(slices.Clone(p.Env), func(e string) bool { // what the host has added
		return e == "HOSTNAME="+spec.Hostname || e == "TERM=xterm" && p.Terminal
	})
	if c.StopSignal != 0 {
		if r.StopSignal = unix.SignalName(c.StopSignal); r.StopSignal == "" {
			r.StopSignal = strconv.Itoa(int(c.StopSignal))
		}
	}
	for _, port := range c.Publish {
		r.Ports = append(r.Ports, port.Inner())
	}
	for _, v := range c.Volumes {
		if v.Anonymous {
			r.Volumes = append(r.Volumes, v.Target)
		}
	}
	return r, nil
}
