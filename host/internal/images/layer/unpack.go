package layer

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"io"

	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/go-digest"
)

// unpackBlob unpacks the blob of a layer into an empty directory, over the trees of the
// layers below, the lowest first. It verifies both digests, and returns the size of the
// files. If it fails, the directory is of no use.
func unpackBlob(ctx context.Context, blob io.Reader, l Layer, dir string, below []string, limits Limits) (int64, error) {
	limits = limits.withDefaults()
	packed, unpacked := sha256.New(), sha256.New()
	raw := io.TeeReader(&limited{ctx: ctx, r: blob, left: limits.Bytes, what: "the blob is too large"}, packed)
	z, err := Decompress(raw)
	if err != nil {
		return 0, err
	}
	defer z.Close()
	content := readAhead(&limited{ctx: ctx, r: z, left: limits.Bytes, what: "it unpacks to more than is allowed of a layer"}, unpacked)
	defer content.close()
	archive := bufio.NewReader(content)
	u, err := newUnpacker(dir, below, limits)
	if err != nil {
		return 0, err
	}
	defer u.close()
	head, _ := archive.Peek(4) // an error comes again
	if IsModule(head) {
		err = u.module(archive)
	} else {
		err = u.all(ctx, archive)
	}
	if err != nil {
		return 0, err
	}
	// What follows the end of the archive counts for the digests.
	if err := drain(archive); err != nil {
		return 0, err
	}
	if err := drain(raw); err != nil {
		return 0, err
	}
	if got := digest.NewDigest(digest.SHA256, packed); got != l.Digest {
		return 0, executor.Errorf(executor.Invalid, "its blob is damaged: it has digest %s", got)
	}
	if got := digest.NewDigest(digest.SHA256, unpacked); got != l.DiffID {
		return 0, executor.Errorf(executor.Invalid, "it unpacks to %s, and the image's config says %s", got, l.DiffID)
	}
	return u.size, nil
}

// drain reads what is left of a stream.
func drain(r io.Reader) error {
	n, err := io.Copy(io.Discard, io.LimitReader(r, maxTrailer+1))
	if err != nil {
		return corrupt(err)
	}
	if n > maxTrailer {
		return executor.Errorf(executor.Invalid, "more than %d MiB follow the end of its archive", maxTrailer>>20)
	}
	return nil
}

// corrupt returns the error for an archive that cannot be read. Errors with a code, and of
// contexts, are returned as they are.
func corrupt(err error) error {
	if _, ok := errors.AsType[*executor.Error](err); ok || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return executor.Errorf(executor.Invalid, "its archive cannot be read: %w", err)
}

const tooLarge = "the files are larger than is allowed of a layer"

// all unpacks an archive.
func (u *unpacker) all(ctx context.Context, r io.Reader) error {
	archive := tar.NewReader(r)
	// Sparse files stand for more than is read of the archive.
	content := &limited{ctx: ctx, r: archive, left: u.limits.Bytes, what: tooLarge}
	for n := 0; ; n++ {
		header, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return u.finish()
		case err != nil:
			return corrupt(err)
		case n == u.limits.Entries:
			return executor.Errorf(executor.Invalid, "its archive has more than %d entries", n)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		if header.Size > content.left {
			return entryError(header.Name, executor.Errorf(executor.Invalid, "it has %d bytes; %s", header.Size, tooLarge))
		}
		if err := u.entry(header, content); err != nil {
			return entryError(header.Name, err)
		}
	}
}

// entryError adds to an error which entry it is about.
func entryError(name string, err error) error {
	if len(name) > 300 {
		name = name[:300] + "…"
	}
	return executor.Errorf(executor.CodeOf(err), "entry %q: %w", name, err)
}
