// Package archive reads images from archives, what `docker save` writes and OCI layouts, and
// writes archives that are both.
package archive

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"io"
	"path"
	"reflect"
	"strings"

	"github.com/davit-run/davit/host/internal/images/blob"
	"github.com/davit-run/davit/host/internal/images/layer"
	"github.com/davit-run/davit/host/internal/images/manifest"
	"github.com/davit-run/davit/host/internal/strict"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	maxEntries = 20_000 // a hundred images of 200 layers
	maxBytes   = 1 << 40
	maxLinks   = 8
)

// Archive has the files of an archive as drafts of blobs.
type Archive struct {
	files map[string]*blob.Draft
	links map[string]string
}

// Image is an image of an archive.
type Image struct {
	// Names are those that the archive gives it, as they are written there.
	Names []string
	// Manifest is its manifest, and Config the digest of its config.
	Manifest []byte
	Config   digest.Digest
	Layers   []v1.Descriptor

	drafts []*blob.Draft
}

// Read reads an archive, compressed or not, and keeps its files as drafts of blobs. The
// caller closes it.
func Read(ctx context.Context, r io.Reader, store *blob.Store) (*Archive, error) {
	a := &Archive{map[string]*blob.Draft{}, map[string]string{}}
	if err := a.read(ctx, r, store); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// Close gives up what was not committed.
func (a *Archive) Close() {
	for _, d := range a.files {
		d.Abort()
	}
}

func (a *Archive) read(ctx context.Context, r io.Reader, store *blob.Store) error {
	z, err := layer.Decompress(r)
	if err != nil {
		return err
	}
	defer z.Close()
	in := tar.NewReader(io.LimitReader(z, maxBytes))
	for n := 0; ; n++ {
		h, err := in.Next()
		switch {
		case errors.Is(err, io.EOF) && n == 0:
			return invalid("it is empty")
		case errors.Is(err, io.EOF):
			// A pipe whose reader goes away would fail.
			_, err = io.Copy(io.Discard, io.LimitReader(z, maxBytes))
			return unreadable(ctx, err)
		case err != nil:
			return unreadable(ctx, err)
		case n == maxEntries:
			return invalid("it has more than %d entries", n)
		}
		name := path.Clean("/" + h.Name)
		switch h.Typeflag {
		case tar.TypeReg:
			d, err := store.Create()
			if err != nil {
				return err
			}
			if old := a.files[name]; old != nil {
				old.Abort()
			}
			a.files[name] = d
			if _, err := io.Copy(d, in); err != nil {
				return unreadable(ctx, err)
			}
		case tar.TypeSymlink: // of old dockers, for a layer that two images have
			a.links[name] = path.Join(path.Dir(name), h.Linkname)
		case tar.TypeLink:
			a.links[name] = path.Clean("/" + h.Linkname)
		}
	}
}

// unreadable returns the error for an archive that cannot be read.
func unreadable(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if _, ok := errors.AsType[*executor.Error](err); ok {
		return err
	}
	return invalid("it is no archive of images, or is damaged: %w", err)
}

func invalid(format string, args ...any) error {
	return executor.Errorf(executor.Invalid, format, args...)
}

// file returns a file of the archive.
func (a *Archive) file(name string) (*blob.Draft, error) {
	name = path.Clean("/" + name)
	for range maxLinks {
		if d := a.files[name]; d != nil {
			return d, nil
		}
		to, ok := a.links[name]
		if !ok {
			break
		}
		name = to
	}
	return nil, invalid("file %s is missing in it", strings.TrimPrefix(name, "/"))
}

// blob returns a blob of an OCI layout, whose digest is verified.
func (a *Archive) blob(d digest.Digest) (*blob.Draft, error) {
	f, err := a.file(path.Join("blobs", d.Algorithm().String(), d.Encoded()))
	if err == nil && f.Digest() != d {
		err = invalid("blob %s is damaged in it: it has digest %s", d, f.Digest())
	}
	return f, err
}

// text returns what a small file holds.
func text(d *blob.Draft) ([]byte, error) {
	f, err := d.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := linux.ReadAll(f, manifest.MaxSize)
	if err != nil {
		return nil, invalid("a document in it: %w", err)
	}
	return raw, nil
}

// json reads a small file.
func (a *Archive) json(name string, v any) error {
	f, err := a.file(name)
	if err != nil {
		return err
	}
	raw, err := text(f)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return invalid("%s in it: %w", name, strict.Explain(raw, reflect.TypeOf(v).Elem(), err))
	}
	return nil
}

// Images returns the images of an archive for a platform.
func (a *Archive) Images(want manifest.Platform) ([]Image, error) {
	var all []Image
	var err error
	if _, missing := a.file("index.json"); missing == nil {
		all, err = a.layout(want)
	} else if _, missing := a.file("manifest.json"); missing == nil {
		all, err = a.docker()
	} else {
		return nil, invalid("it is neither an OCI layout (it has no index.json) nor of `docker save` (no manifest.json); for a root file system use davit import")
	}
	if err == nil && len(all) == 0 {
		err = invalid("it has no images")
	}
	return all, err
}

// Commit makes blobs of what an image consists of, but for its manifest.
func (i *Image) Commit() error {
	for _, d := range i.drafts {
		if err := d.Commit(); err != nil {
			return err
		}
	}
	return nil
}
